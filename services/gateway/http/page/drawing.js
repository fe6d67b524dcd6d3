// Draws the film (chunks along the video) and the Gantt (attempts along the clock).

import { hue, length, make } from "./format.js";

const STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
const SPEECH = 5;
const MERGE = 2;

const percent = (part) => `${(100 * Math.min(1, Math.max(0, part))).toFixed(3)}%`;
const first = (chunk) => Number(chunk.frames?.first ?? 0);
const end = (chunk) => Number(chunk.frames?.end ?? 0);
const frames = (chunk) => Math.max(1, end(chunk) - first(chunk));
const kind = (chunk) => (chunk.state ?? "").replace("CHUNK_STATE_", "").toLowerCase();

/** Workers in the order in which a job met them. */
export function workersOf(chunks) {
  const met = [...chunks].sort((a, b) => Date.parse(a.started) - Date.parse(b.started));
  return [...new Set(met.filter((chunk) => !chunk.cached).map((chunk) => chunk.worker))];
}

export function drawFilm(target, job, chunks, readyFrames) {
  const total = Math.max(Number(job.frames ?? 0), ...chunks.map(end), 1);
  const workers = workersOf(chunks);
  const alive = chunks.filter((chunk) => ["running", "done"].includes(kind(chunk)));
  const boxes = alive.sort((a, b) => first(a) - first(b)).map((chunk) => {
    const fill = make("b");
    fill.style.width = percent(kind(chunk) === "done" ? 1 : (chunk.frames_done ?? 0) / frames(chunk));
    const who = chunk.cached ? "from the cache" : `on ${chunk.worker}`;
    const box = make("span", { className: `chunk${chunk.cached ? " cached" : ""}`, title: `frames ${first(chunk)} – ${end(chunk)} ${who}` }, fill);
    box.style.left = percent(first(chunk) / total);
    box.style.width = percent(frames(chunk) / total);
    box.style.setProperty("--hue", chunk.cached ? "var(--wait)" : hue(workers.indexOf(chunk.worker)));
    return box;
  });
  const ready = make("span", { className: "ready" });
  ready.style.width = percent(readyFrames / total);
  const head = target.querySelector(".head") ?? make("span", { className: "head", hidden: true });
  target.replaceChildren(...boxes, ready, head);
  const done = alive.filter((chunk) => kind(chunk) === "done").length;
  target.setAttribute("aria-label", `${done} of ${alive.length} chunks are rendered`);
}

export function drawGantt(target, job, chunks, stages, now) {
  const begin = Date.parse(job.created);
  const last = job.finished ? Date.parse(job.finished) : now;
  const span = Math.max(last - begin, 1000);
  const place = (element, from, to) => {
    element.style.left = percent((from - begin) / span);
    element.style.width = percent((to - from) / span);
  };
  const rows = [];
  const lane = (name, bars) => rows.push(make("span", { className: "who", textContent: name, title: name }), make("span", { className: "track" }, ...bars));
  const stage = (name, colour, [from, to]) => {
    const bar = make("span", { className: "bar-of", title: `${name}: ${length(((to ?? last) - from) / 1000)}` });
    bar.style.setProperty("--hue", hue(colour));
    place(bar, from, to ?? last);
    lane(name, [bar]);
  };
  if (stages.speaking) stage("speech", SPEECH, stages.speaking);
  workersOf(chunks).forEach((worker, index) => {
    const bars = chunks.filter((chunk) => chunk.worker === worker && !chunk.cached).map((chunk) => {
      const state = { cancelled: "called-off" }[kind(chunk)] ?? kind(chunk);
      const bar = make("span", { className: `bar-of ${state}`, title: tell(chunk) });
      bar.style.setProperty("--hue", hue(index));
      place(bar, Date.parse(chunk.started), chunk.finished ? Date.parse(chunk.finished) : last);
      if (state === "running") {
        const fill = make("b");
        fill.style.width = percent((chunk.frames_done ?? 0) / frames(chunk));
        bar.append(fill);
      }
      return bar;
    });
    lane(worker, bars);
  });
  if (stages.merging) stage("merge", MERGE, stages.merging);
  rows.push(make("span"), axis(span / 1000));
  target.replaceChildren(...rows);
  const failed = chunks.filter((chunk) => kind(chunk) === "failed").length;
  target.setAttribute("aria-label", `${chunks.length} attempts, ${failed} failed, in ${length(span / 1000)}`);
}

export const tell = (chunk) =>
  `frames ${first(chunk)} – ${end(chunk)} on ${chunk.worker}: ${kind(chunk)}${chunk.error ? ` (${chunk.error})` : ""}`;

function axis(span) {
  const step = STEPS.find((candidate) => span / candidate <= 7) ?? STEPS.at(-1);
  const marks = [];
  for (let at = 0; at < span * 0.97; at += step) {
    const mark = make("span", { textContent: at ? length(at).replace(".0", "") : "0" });
    mark.style.left = percent(at / span);
    marks.push(mark);
  }
  return make("span", { className: "axis" }, ...marks);
}

/** Lanes of a plan, one a worker. */
export function drawPlan(chunks) {
  const total = Math.max(...chunks.map((chunk) => Number.parseFloat(chunk.end)), 0.001);
  const workers = [...new Set(chunks.map((chunk) => chunk.worker))];
  return workers.map((worker, index) => {
    const parts = chunks.filter((chunk) => chunk.worker === worker).map((chunk) => {
      const from = Number.parseFloat(chunk.start ?? "0");
      const part = make("i");
      part.style.left = percent(from / total);
      part.style.width = percent((Number.parseFloat(chunk.end) - from) / total);
      return part;
    });
    const line = make("div", { className: "lane", title: worker }, ...parts);
    line.style.setProperty("--hue", hue(index));
    return line;
  });
}
