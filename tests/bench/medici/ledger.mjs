// medici as its readme has it: one journal for each purchase, in a transaction (w:majority, j:true by the URL). Beside
// it, in the same transaction, what a chain needs as much as its ledger and points writes too: the receipt, the
// account's standing, and the event for the others; with `alone` in the order, the journal only.
// Reads orders from standard input and answers each with a tally: node ledger.mjs MONGO_URL
import { createInterface } from "node:readline";
import { Book, initModels, mongoTransaction, syncIndexes } from "medici";
import mongoose from "mongoose";

// Amounts as tests/bench/receipts.py draws them: three lines of 500 to 4,999 minor units, a point for each 100.
const LINES = 3;
const STORES = 100;
const ITEMS = 200;
const any = (count) => Math.floor(Math.random() * count);
const drawn = () =>
  Array.from({ length: LINES }, () => ({
    item_code: `item-${String(any(ITEMS)).padStart(3, "0")}`,
    quantity: 1,
    gross_minor: 500 + any(4_500),
    discount_minor: 0,
  }));

await mongoose.connect(process.argv[2], { maxPoolSize: 64 });
await initModels();
await syncIndexes({ background: false });
const book = new Book("points");
const [receipts, accounts, outbox] = ["receipts", "accounts", "outbox"].map((name) =>
  mongoose.connection.collection(name),
);
await receipts.createIndex({ key: 1 }, { unique: true });
await receipts.createIndex({ store: 1, occurred_at: 1 });
await accounts.createIndex({ account: 1 }, { unique: true });
await outbox.createIndex({ partition: 1, at: 1 });

async function purchase(order, number) {
  const member = `mem_${String(any(order.accounts)).padStart(26, "0")}`;
  const store = `sto_${String(any(STORES)).padStart(26, "0")}`;
  const receipt = `${order.run}-${String(number).padStart(8, "0")}`;
  const lines = drawn();
  const paid = lines.reduce((sum, line) => sum + line.gross_minor, 0);
  const granted = Math.floor(paid / 100);
  const at = new Date();
  await mongoTransaction(async (session) => {
    if (!order.alone) {
      const told = { member, store, receipt, occurred_at: at, paid_minor: paid, points: granted, lines };
      await receipts.insertOne({ key: `${store}/${receipt}`, currency: "CNY", ...told }, { session });
      const change = { $inc: { points: granted, spend_minor: paid, version: 1 }, $set: { as_of: at } };
      await accounts.updateOne({ account: member }, change, { session, upsert: true });
      const row = { aggregate: member, partition: any(8), type: "PurchaseBooked", at, body: JSON.stringify(told) };
      await outbox.insertOne(row, { session });
    }
    await book
      .entry(receipt)
      .debit("Program:Issued", granted, { receipt })
      .credit(`Members:${member}`, granted, { receipt })
      .commit({ session });
  });
}

async function carriedOut(order) {
  const latencies = [];
  const failed = {};
  const cpu = process.cpuUsage();
  const began = performance.now();
  const ends = began + order.seconds * 1_000;
  let number = 0;
  let inTime = 0;
  async function call() {
    while (performance.now() < ends) {
      const due = performance.now();
      try {
        await purchase(order, ++number);
      } catch (error) {
        failed[error.name] = (failed[error.name] ?? 0) + 1;
        continue;
      }
      const answered = performance.now();
      latencies.push(answered - due);
      if (answered <= ends) inTime++;
    }
  }
  await Promise.all(Array.from({ length: order.callers }, call));
  const took = performance.now() - began;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  return {
    offered: number,
    acknowledged: latencies.length,
    in_time: inTime,
    failed,
    took_s: took / 1_000,
    cpu_s: (used.user + used.system) / 1_000_000,
    p50_ms: latencies[Math.floor(latencies.length / 2)] ?? 0,
    p99_ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    max_ms: latencies.at(-1) ?? 0,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await carriedOut(JSON.parse(line)))}\n`);
}
await mongoose.disconnect();
