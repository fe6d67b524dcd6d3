// The form: what a person wants, what it would take, and off it goes.

import { call, post, upload } from "./api.js";
import { drawPlan } from "./drawing.js";
import { count, length, make, seconds } from "./format.js";

const QUALITIES = ["low", "medium", "high", "ultra", "lossless"];
const FIGURES = ["brightness", "contrast", "saturation", "sharpness", "deflicker", "smoothing"];
const PLAN_AFTER = 500;
const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

const $ = (id) => document.getElementById(id);

/** A file that may be dropped or chosen; it is uploaded once, when it is first needed. */
class Attachment {
  file = null;
  sha256 = "";
  #uploading = null;

  constructor(name, onChange) {
    this.name = name;
    this.onChange = onChange;
    const [input, drop] = [$(name), $(`${name}-drop`)];
    input.addEventListener("change", () => input.files[0] && this.take(input.files[0]));
    $(`${name}-clear`).addEventListener("click", () => this.take(null));
    for (const kind of ["dragenter", "dragover"]) {
      drop.addEventListener(kind, (event) => (event.preventDefault(), drop.classList.add("over")));
    }
    for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => (event.preventDefault(), this.take(event.dataTransfer.files[0] ?? null)));
  }

  take(file, sha256 = "") {
    this.file = file;
    this.sha256 = sha256;
    this.#uploading = null;
    if (!file) $(this.name).value = "";
    $(`${this.name}-clear`).hidden = !file && !sha256;
    this.onChange(this);
  }

  get given() {
    return Boolean(this.file || this.sha256);
  }

  async stored(progress) {
    if (!this.file || this.sha256) return this.sha256;
    const { file } = this;
    this.#uploading ??= upload(file, progress);
    try {
      const sha256 = await this.#uploading;
      if (this.file === file) this.sha256 = sha256;
      return sha256;
    } catch (error) {
      this.#uploading = null;
      throw error;
    }
  }
}

export class Composer {
  #timer = null;
  #turn = 0;
  #engines = [];
  #clip = false; // whether the face has a voice, too

  constructor(onJob) {
    this.face = new Attachment("face", () => this.#showFace());
    this.speech = new Attachment("speech", () => this.#showSpeech());
    this.backdrop = new Attachment("backdrop", () => this.#showBackdrop());
    this.onJob = onJob;
    this.#showBackdrop();
    this.#makeQualities();
    $("compose").addEventListener("submit", (event) => (event.preventDefault(), this.submit()));
    $("compose").addEventListener("input", () => this.#changed());
    $("text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.submit();
    });
  }

  #makeQualities() {
    const options = QUALITIES.map((name) => {
      const input = make("input", { type: "radio", name: "quality", value: `QUALITY_${name.toUpperCase()}`, defaultChecked: name === "medium" });
      return make("label", {}, input, name);
    });
    $("quality").append(...options);
  }

  /** Asks what there is to choose from. */
  async load() {
    const [{ voices = [] }, { engines = [] }] = await Promise.all([call("/api/voices"), call("/api/engines")]);
    this.#engines = engines;
    const chosen = $("engine").value;
    $("engine").replaceChildren(...engines.map((engine) => make("option", { value: engine.name, textContent: engine.name, title: engine.description ?? "" })));
    if (engines.some((engine) => engine.name === (chosen || "viseme"))) $("engine").value = chosen || "viseme";
    this.#listVoices(voices);
    this.#changed();
  }

  #listVoices(voices) {
    const chosen = $("voice").value;
    const groups = new Map();
    for (const voice of voices) groups.set(voice.language, [...(groups.get(voice.language) ?? []), voice]);
    const named = [...groups].map(([language, members]) => [languageName(language), members]);
    named.sort(([one], [other]) => one.localeCompare(other));
    const options = named.map(([label, members]) =>
      make("optgroup", { label }, ...members.map((voice) => make("option", { value: voice.name, textContent: voice.description || voice.name }))),
    );
    $("voice").replaceChildren(make("option", { value: "", textContent: "Chosen by language" }), ...options);
    $("voice").value = chosen;
  }

  #showFace() {
    const { file, sha256 } = this.face;
    if (file) this.#clip = file.type.startsWith("video/");
    $("face-name").textContent = file?.name ?? (sha256 ? "The same face as before" : "Drop a portrait or a clip");
    $("face-preview").replaceChildren();
    if (file) {
      const picture = file.type.startsWith("video/") ? make("video", { muted: true, preload: "metadata" }) : make("img", { alt: "" });
      picture.src = URL.createObjectURL(file);
      for (const kind of ["load", "loadeddata", "error"]) picture.addEventListener(kind, () => URL.revokeObjectURL(picture.src), { once: true });
      $("face-preview").append(picture);
    }
    this.#changed();
  }

  #showSpeech() {
    $("speech-name").textContent = this.speech.file?.name ?? (this.speech.given ? "The same recording as before" : "… or drop a recording");
    $("text").placeholder = this.speech.given ? "The words of the recording, if you have them." : "What should be said? Any length, many languages.";
    this.#changed();
  }

  #showBackdrop() {
    $("backdrop-name").textContent = this.backdrop.file?.name ?? (this.backdrop.given ? "The same picture as before" : "Drop or choose one");
    this.#changed();
  }

  #changed() {
    const words = $("text").value.trim();
    $("count").textContent = words ? count(words.length, "character") : "";
    const engine = this.#engines.find((candidate) => candidate.name === $("engine").value);
    $("prompt-field").hidden = !engine?.takes_prompt;
    $("own-voice-field").hidden = this.speech.given || !this.face.given || !this.#clip;
    for (const kind of ["color", "picture"]) $(`behind-${kind}-field`).hidden = $("behind").value !== kind;
    $("behind-hint").hidden = !$("behind").value;
    $("consent-field").hidden = !this.face.given && !this.speech.given;
    clearTimeout(this.#timer);
    this.#turn += 1;
    if (words || this.speech.given) this.#timer = setTimeout(() => this.#plan(), PLAN_AFTER);
    else $("plan").replaceChildren();
  }

  async #spec(progress) {
    const spec = {
      text: $("text").value.trim(),
      voice: $("voice").value,
      engine: $("engine").value,
      quality: document.querySelector("[name=quality]:checked").value,
      codec: $("codec").value,
      mode: $("mode").value,
      title: $("title").value,
      captions: $("captions").checked,
      optimize_streaming: $("fragmented").checked,
      max_workers: Number($("workers").value) || 0,
      width: Number($("width").value) || 0,
      height: Number($("height").value) || 0,
    };
    const enhancement = enhancementAsked();
    if (Object.keys(enhancement).length) spec.enhancement = enhancement;
    if ($("chunk").value) spec.chunk_length = `${Number($("chunk").value)}s`;
    if ($("fps").value) spec.fps = rational($("fps").value);
    if (!$("prompt-field").hidden) spec.prompt = $("prompt").value;
    const files = [this.face, this.speech, this.backdrop].map((attachment) => attachment.stored(progress));
    const [face, speech, picture] = await Promise.all(files);
    if ($("behind").value === "color") spec.background = { color: $("behind-color").value };
    if ($("behind").value === "picture" && picture) spec.background = { picture_sha256: picture };
    const ownVoice = !$("own-voice-field").hidden && $("own-voice").checked;
    const consent = $("consent-field").hidden ? "" : $("consent").value.trim();
    return { ...spec, avatar_sha256: face, audio_sha256: speech, voice_reference_sha256: ownVoice ? face : "", consent_reference: consent };
  }

  async #plan() {
    const turn = this.#turn;
    try {
      const plan = await post("/api/plan", await this.#spec(this.#uploaded));
      if (turn === this.#turn) this.#showPlan(plan);
    } catch (error) {
      if (turn === this.#turn) this.#showProblem(error);
    }
  }

  #uploaded = (part) => {
    $("plan").textContent = part < 1 ? `Sending the file: ${Math.round(100 * part)} %` : "Looking at the file …";
  };

  #showPlan(plan) {
    this.#showProblem(null);
    const chunks = plan.chunks ?? [];
    const workers = new Set(chunks.map((chunk) => chunk.worker)).size;
    const fps = plan.format.fps.numerator / plan.format.fps.denominator;
    const video = `${plan.exact ? "" : "about "}${length(Number(plan.frames ?? 0) / fps)} of video at ${plan.format.width} × ${plan.format.height}`;
    const ready = `Done in about ${length(seconds(plan.total))}, playing after ${length(seconds(plan.first_chunk))}`;
    $("plan").replaceChildren(
      make("div", {}, make("strong", { textContent: ready })),
      make("div", { textContent: `${video}; ${count(chunks.length, "chunk")} on ${count(workers, "worker")}` }),
      ...drawPlan(chunks),
      ...[plan.advice, ...(plan.warnings ?? [])].filter(Boolean).map((text) => make("p", { textContent: text })),
    );
  }

  #showProblem(error) {
    $("problem").hidden = !error;
    $("problem").textContent = error ? readable(error.message) : "";
    if (error) $("plan").replaceChildren();
  }

  async submit() {
    $("submit").disabled = true;
    $("submit").textContent = "Sending …";
    try {
      const job = await post("/api/jobs", await this.#spec(this.#uploaded));
      this.#showProblem(null);
      this.onJob(job.id);
    } catch (error) {
      this.#showProblem(error);
    } finally {
      $("submit").disabled = false;
      $("submit").textContent = "Make video";
    }
  }

  /** Fills the form as it was for an earlier job. */
  fill(spec) {
    $("text").value = spec.text ?? "";
    $("voice").value = spec.voice ?? "";
    $("title").value = spec.title ?? "";
    $("mode").value = spec.mode ?? "MODE_AUTO";
    $("codec").value = spec.codec ?? "VIDEO_CODEC_H264";
    $("engine").value = spec.engine || "viseme";
    $("captions").checked = spec.captions ?? false;
    $("fragmented").checked = spec.optimize_streaming ?? false;
    for (const side of ["width", "height"]) $(side).value = spec[side] || "";
    $("enhance").checked = spec.enhancement?.automatic ?? false;
    for (const name of FIGURES) $(name).value = spec.enhancement?.[name] || "";
    this.#fillBackground(spec.background ?? {});
    $("consent").value = spec.consent_reference ?? "";
    $("own-voice").checked = this.#clip = Boolean(spec.voice_reference_sha256);
    const quality = document.querySelector(`[name=quality][value=${spec.quality ?? "QUALITY_MEDIUM"}]`);
    if (quality) quality.checked = true;
    this.face.take(null, spec.avatar_sha256 ?? "");
    this.speech.take(null, spec.audio_sha256 ?? "");
    $("text").focus();
  }

  #fillBackground({ color = "", picture_sha256 = "" }) {
    $("behind").value = picture_sha256 ? "picture" : color && "color";
    if (color) $("behind-color").value = color;
    this.backdrop.take(null, picture_sha256);
  }
}

function enhancementAsked() {
  const figures = FIGURES.map((name) => [name, Number($(name).value)]).filter(([, figure]) => figure);
  return { ...($("enhance").checked && { automatic: true }), ...Object.fromEntries(figures) };
}

function languageName(tag) {
  try {
    return LANGUAGES.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

function rational(text) {
  const [top, bottom = "1"] = text.split("/");
  if (bottom !== "1") return { numerator: Number(top), denominator: Number(bottom) };
  const known = { 23.976: [24000, 1001], 29.97: [30000, 1001], 59.94: [60000, 1001] }[Number(top)];
  const [numerator, denominator] = known ?? [Math.round(1000 * Number(top)), 1000];
  return { numerator, denominator };
}

/** Says fields as the form names them. */
const readable = (message) => message.replace(/^spec\.([\w.]+): /, (_, field) => `${field.replaceAll(/[_.]/g, " ").replace(" sha256", "").replace("avatar", "Face")}: `);
