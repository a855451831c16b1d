// Runs queries with Microsoft's JavaScript SDK: a JSON object a line in, one a line out.
import { createInterface } from "node:readline";
import { CosmosClient } from "@azure/cosmos";

const [endpoint, key] = process.argv.slice(2);
const client = new CosmosClient({ endpoint, key });

async function run({ container, query, parameters, resume, ...options }) {
  const items = client.database("db").container(container).items;
  const results = [];
  if (resume) options.enableQueryControl = true;
  let iterator = items.query({ query, parameters }, options);
  while (iterator.hasMoreResults()) {
    const { resources, continuationToken } = await iterator.fetchNext();
    results.push(...(resources ?? []));
    if (!resume) continue;
    if (!continuationToken) break; // go on with a new iterator, as another process would
    options.continuationToken = continuationToken;
    iterator = items.query({ query, parameters }, options);
  }
  return { results };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line)).catch((error) => ({ error: String(error.stack) }));
  console.log(JSON.stringify(answer));
}
process.exit();
