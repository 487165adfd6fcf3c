// Everything that the environment decides, read once.
function required(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
}

const number = (name, usual) => Number(process.env[name] ?? usual);

export const databaseUrl = required("DATABASE_URL");
export const redisUrl = required("REDIS_URL");

// Measured in README.md: calls that come while a statement runs share the next one.
export const acceptMost = number("ACCEPT_MOST", 500);
export const dispatchMost = number("DISPATCH_MOST", 100);

export const attempts = number("ATTEMPTS", 5);
export const retrySeconds = number("RETRY_SECONDS", 1);
export const sweepSeconds = number("SWEEP_SECONDS", 2);
export const repairSeconds = number("REPAIR_SECONDS", 30);
export const ackSeconds = 0.25;

export const web = () => ({
  port: Number(required("PORT")),
  apiKey: required("API_KEY"),
  secret: required("SECRET"),
});
