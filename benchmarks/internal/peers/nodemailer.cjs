// Submits one content many times through nodemailer's pool, each time with a return path of its own, and prints what it
// took as JSON, durations in nanoseconds.
const fs = require('node:fs');
const nodemailer = require('nodemailer');

const [host, port, name, recipient, file, connections, messages] = process.argv.slice(2);
const content = fs.readFileSync(file);
const n = Number(messages);
const transport = nodemailer.createTransport({
  pool: true, maxConnections: Number(connections), maxMessages: Infinity,
  host, port: Number(port), name, secure: false, ignoreTLS: true,
});

let next = 0;
let accepted = 0;

async function worker() {
  while (next < n) {
    const from = `b+${String(next++).padStart(8, '0')}@bounces.bench.test`;
    await transport.sendMail({ envelope: { from, to: recipient }, raw: content });
    accepted++;
  }
}

async function main() {
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  // Two for each connection, so that none waits for work.
  await Promise.all(Array.from({ length: 2 * Number(connections) }, worker));
  const elapsed = Number(process.hrtime.bigint() - start);
  const used = process.cpuUsage(cpu);
  transport.close();
  console.log(JSON.stringify({ Accepted: accepted, Elapsed: elapsed, CPU: (used.user + used.system) * 1000 }));
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
