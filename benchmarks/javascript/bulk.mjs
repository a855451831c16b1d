// Upserts the documents of a file with executeBulkOperations; prints seconds and processor seconds.
import { readFileSync } from "node:fs";
import { CosmosClient } from "@azure/cosmos";

const [endpoint, key, database, name, file] = process.argv.slice(2);
const documents = JSON.parse(readFileSync(file, "utf8"));
const client = new CosmosClient({ endpoint, key });
const container = client.database(database).container(name);
await container.read();

const operations = documents.map((resourceBody) => ({
  operationType: "Upsert",
  partitionKey: resourceBody.streamId,
  resourceBody,
}));
const cpu = process.cpuUsage();
const begun = process.hrtime.bigint();
const results = await container.items.executeBulkOperations(operations);
const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
const { user, system } = process.cpuUsage(cpu);
const failed = results.filter((each) => ![200, 201].includes(each.response?.statusCode));
if (failed.length > 0) {
  console.error(JSON.stringify(failed[0]));
  process.exit(1);
}
console.log(JSON.stringify({ seconds, processor: (user + system) / 1e6 }));
