/** An address of the page's configuration is wrong: waiting will not change its answer. */
export class ConfigurationError extends Error {
  constructor(address, status) {
    super(`${address} answered ${status}`);
    this.name = "ConfigurationError";
    this.address = address;
    this.status = status;
  }
}
