// Tiles of workers.

import { count, hue, make, size } from "./format.js";

const order = [];

function place(name) {
  if (!order.includes(name)) order.push(name);
  return order.indexOf(name);
}

function meter(name, part, text) {
  const bar = make("i");
  bar.style.setProperty("--part", `${Math.round(100 * Math.min(1, Math.max(0, part)))}%`);
  return make("div", { className: "meter" }, make("span", { textContent: name }), bar, make("span", { textContent: text }));
}

function meters(worker) {
  const found = [];
  const gpu = worker.telemetry;
  if (gpu?.utilization !== undefined) found.push(meter("load", gpu.utilization, `${Math.round(100 * gpu.utilization)} %`));
  if (gpu?.memory_used_bytes) {
    const all = Number(worker.device?.memory_bytes) || 1;
    found.push(meter("memory", Number(gpu.memory_used_bytes) / all, size(gpu.memory_used_bytes)));
  }
  if (gpu?.power_watts) found.push(meter("power", gpu.power_watts / (gpu.power_limit_watts || gpu.power_watts), `${Math.round(gpu.power_watts)} W`));
  if (gpu?.temperature_celsius) found.push(meter("heat", gpu.temperature_celsius / 100, `${Math.round(gpu.temperature_celsius)} °C`));
  return found;
}

function tile(member) {
  const worker = member.worker ?? {};
  const name = worker.name || member.address;
  const state = (member.state ?? "").replace("WORKER_STATE_", "").toLowerCase() || "away";
  const job = member.job_id ? make("a", { href: `#job=${member.job_id}`, textContent: `frames ${member.frames?.first ?? 0} – ${member.frames?.end ?? 0}` }) : state;
  const speed = Object.entries(worker.frames_per_second ?? {}).map(([engine, rate]) => `${engine} ${Math.round(rate)} frames/s`);
  const engines = speed.length ? speed : (worker.engines ?? []).map((engine) => engine.name);
  const found = make(
    "article",
    { className: `tile ${["idle", "busy"].includes(state) ? "" : "away"}` },
    make("div", { className: "row between" }, make("strong", { textContent: name, title: name }), make("small", {}, job)),
    make("small", { textContent: [worker.device?.name ?? "", ...engines].filter(Boolean).join("  ·  ") }),
    ...meters(worker),
  );
  if (member.suspect) found.append(make("small", { className: "state-failed", textContent: "failed lately: used last" }));
  found.style.setProperty("--hue", hue(place(name)));
  return found;
}

export function drawCluster(target, pulse, cluster) {
  const workers = cluster.workers ?? [];
  target.replaceChildren(...(workers.length ? workers.map(tile) : [make("small", { textContent: "No worker is up." })]));
  const running = cluster.running_jobs ?? 0;
  const queued = cluster.queued_jobs ?? 0;
  const text = `${count(workers.length, "worker")}, ${running} running, ${queued} waiting`;
  if (pulse.textContent !== text) pulse.textContent = text;
}
