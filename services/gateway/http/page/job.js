// One job on the stage: follows its events, plays it, draws it.

import { call, follow, post } from "./api.js";
import { drawFilm, drawGantt, tell } from "./drawing.js";
import { clock, count, length, make, seconds, size, stateName } from "./format.js";
import { Player } from "./player.js";

const STAGES = ["queued", "speaking", "rendering", "merging", "done"];
const ENDED = new Set(["done", "failed", "cancelled"]);
const DRAW_EVERY = 200;
const LOOK_AGAIN = 2000;

const $ = (id) => document.getElementById(id);

export class Stage {
  #player = new Player($("video"), $("screen-note"));
  #stop = () => {};
  #timer = null;
  #onEnd;

  constructor(onAgain, onEnd) {
    this.#onEnd = onEnd;
    $("cancel").addEventListener("click", () => this.#cancel());
    $("again").addEventListener("click", () => onAgain(this.job.spec));
    $("film").addEventListener("click", (event) => this.#seek(event));
    $("video").addEventListener("timeupdate", () => this.#moveHead());
  }

  /** Puts a job on the stage. */
  show(id) {
    if (this.job?.id === id) return;
    this.close();
    this.job = { id };
    this.chunks = new Map();
    this.times = {};
    this.segments = 0;
    this.ready = 0;
    this.progress = null;
    this.playing = false;
    $("job-empty").hidden = true;
    $("job-body").hidden = false;
    $("job-title").textContent = "…";
    this.#player.clear("Waiting …");
    this.#load(id);
  }

  async #load(id) {
    try {
      const job = await call(`/api/jobs/${encodeURIComponent(id)}`);
      if (this.job?.id !== id) return;
      for (const chunk of job.chunks ?? []) this.#attempt(chunk);
      this.job = { ...job, chunks: undefined };
    } catch (error) {
      if (this.job?.id === id) this.#fail(error);
      return;
    }
    this.draw();
    this.#follow(id);
  }

  #fail(error) {
    $("job-title").textContent = error.message;
    this.#player.clear();
    // The gateway is away: it may come back.
    if (!error.status) setTimeout(() => this.job && this.#load(this.job.id), LOOK_AGAIN);
  }

  #follow(id) {
    this.#stop = follow(`/api/events/${encodeURIComponent(id)}`, {
      state: (event) => this.#enter(event),
      chunk: (event) => this.#attempt(event.chunk),
      progress: (event) => this.#figures(event.progress),
      segment: (event) => this.#segment(event.segment),
    });
    this.#timer = setInterval(() => this.draw(), DRAW_EVERY);
  }

  close() {
    this.#stop();
    clearInterval(this.#timer);
    this.#player.clear();
    this.job = null;
    $("job-empty").hidden = false;
    $("job-body").hidden = true;
  }

  #enter(event) {
    const state = stateName(event.state.state);
    // Earlier states are told again after the page was opened: they are history by then.
    if (!ENDED.has(stateName(this.job.state)) || ENDED.has(state)) this.job = { ...this.job, waiting: undefined, ...event.state };
    const time = Date.parse(event.time);
    for (const [name, span] of Object.entries(this.times)) if (name !== state) span[1] ??= time;
    this.times[state] ??= [time, null];
    // Speech and rendering overlap: speech ends where the job says so.
    if (state === "rendering" && this.times.speaking) this.times.speaking[1] = time;
    if (ENDED.has(state)) this.#end(state);
    this.draw();
  }

  #end(state) {
    this.#stop();
    clearInterval(this.#timer);
    if (state === "done") {
      const url = `/api/download/${this.job.id}`;
      if (this.playing) this.#player.finish(url);
      else this.#player.file(url, this.job.result?.poster ? `/api/poster/${this.job.id}.jpg` : "");
      this.playing = true;
      this.#captions();
    } else if (!this.playing) {
      this.#player.clear(state === "failed" ? "This video was not made." : "Cancelled.");
    }
    this.#onEnd();
  }

  #captions() {
    if (!this.job.spec?.captions) return;
    const url = `/api/captions/${this.job.id}.vtt`;
    this.#player.captions(url, this.job.language);
    $("vtt").href = url;
    $("vtt").hidden = false;
  }

  #attempt(chunk) {
    const known = this.chunks.get(chunk.id);
    // A running figure must not overtake the end that came before it.
    if (known && known.finished && !chunk.finished) return;
    this.chunks.set(chunk.id, { ...known, ...chunk });
  }

  #figures(progress) {
    this.progress = progress;
    for (const chunk of progress.chunks ?? []) this.#attempt(chunk);
  }

  #segment(segment) {
    this.segments += 1;
    this.ready = Math.max(this.ready, Number(segment.frames?.end ?? 0));
    if (this.playing || ENDED.has(stateName(this.job.state))) return;
    this.playing = true;
    this.#player.grow(`/api/stream/${this.job.id}/index.m3u8`);
  }

  async #cancel() {
    $("cancel").disabled = true;
    await post(`/api/jobs/${this.job.id}/cancel`).catch((error) => ($("figures").textContent = error.message));
    $("cancel").disabled = false;
  }

  #rate() {
    const fps = this.job.format?.fps;
    return fps ? fps.numerator / fps.denominator : 25;
  }

  #seek(event) {
    const box = $("film").getBoundingClientRect();
    const total = Number(this.job.frames ?? 0) / this.#rate();
    $("video").currentTime = ((event.clientX - box.left) / box.width) * total;
  }

  #moveHead() {
    const head = document.querySelector("#film .head");
    const total = Number(this.job?.frames ?? 0);
    if (!head || !total) return;
    head.hidden = false;
    head.style.left = `${Math.min(100, (100 * $("video").currentTime * this.#rate()) / total)}%`;
  }

  draw() {
    const { job } = this;
    if (!job?.created) return;
    const state = stateName(job.state);
    const over = ENDED.has(state);
    const title = job.spec?.title || job.spec?.text || "A recording";
    $("job-title").textContent = title;
    $("job-title").title = title;
    $("cancel").hidden = over;
    $("again").hidden = !over;
    $("download").hidden = state !== "done";
    $("download").href = `/api/download/${job.id}`;
    $("vtt").hidden = !(state === "done" && job.spec?.captions);
    this.#drawStages(state);
    const chunks = [...this.chunks.values()];
    drawFilm($("film"), job, chunks, state === "done" ? Number(job.frames) : this.ready);
    drawGantt($("gantt"), job, chunks, this.times, Date.now());
    this.#moveHead();
    this.#drawFigures(state, chunks);
    this.#drawNotes(chunks);
  }

  #drawStages(state) {
    const broken = state === "failed" || state === "cancelled";
    const reached = broken ? STAGES.filter((name) => this.times[name]).length - 1 : STAGES.indexOf(state);
    const items = STAGES.map((name, place) => {
      const label = name[0].toUpperCase() + name.slice(1);
      const past = place < reached || state === "done";
      const kind = place === reached && broken ? "failed" : past ? "past" : place === reached ? "now" : "";
      const item = make("li", { className: kind, textContent: kind === "failed" ? `${label}: ${state}` : label });
      if (kind === "now") item.setAttribute("aria-current", "step");
      return item;
    });
    $("stages").replaceChildren(...items);
  }

  #drawFigures(state, chunks) {
    const { job } = this;
    const parts = [`${length(Number(job.frames ?? 0) / this.#rate())} of video`];
    if (job.format) parts.push(`${job.format.width} × ${job.format.height}`);
    if (state === "done") {
      const took = (Date.parse(job.finished) - Date.parse(job.created)) / 1000;
      parts.push(size(job.result?.video?.size_bytes ?? 0), `made in ${length(took)}`);
      if (job.provenance?.signed_by) parts.push(`signed by ${job.provenance.signed_by}`);
    } else if (!ENDED.has(state)) {
      parts.push(`${Math.round(this.progress?.percent ?? job.percent ?? 0)} %`);
      if (this.progress?.queue_position) parts.push(`${count(this.progress.queue_position, "job")} ahead`);
    }
    const cached = chunks.filter((chunk) => chunk.cached).length;
    if (cached) parts.push(`${count(cached, "chunk")} from the cache`);
    const text = parts.join("  ·  ");
    if ($("figures").textContent !== text) $("figures").textContent = text;
    const left = seconds(this.progress?.eta ?? job.eta);
    $("eta").textContent = !ENDED.has(state) && left && !job.waiting ? `about ${length(left)} left` : "";
  }

  #drawNotes(chunks) {
    const failed = chunks.filter((chunk) => chunk.state === "CHUNK_STATE_FAILED").map((chunk) => ["bad", this.job.error ? tell(chunk) : `${tell(chunk)}; rendered again elsewhere`]);
    const { waiting } = this.job;
    const waits = waiting ? [["", `${waiting.reason}: waiting since ${clock(waiting.since)}, until ${clock(waiting.until)} at most`]] : [];
    const error = this.job.error ? [["bad", this.job.error.message]] : [];
    const notes = [...error, ...waits, ...(this.job.warnings ?? []).map((text) => ["", text]), ...failed];
    $("notes").replaceChildren(...notes.map(([className, textContent]) => make("li", { className, textContent })));
  }
}
