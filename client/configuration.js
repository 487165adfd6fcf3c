/** An address of the page's configuration is wrong: what it answers will not change by waiting. */
export class ConfigurationError extends Error {
  constructor(address, status) {
    super(`${address} answered ${status}`);
    this.name = "ConfigurationError";
    this.address = address;
    this.status = status;
  }
}
