// Plays a video while it is being made: segments of the growing playlist are appended as they come.

const LOOK_AGAIN = 1000;
const KEEP_BEHIND = 30;
const NO_PICTURE = "This browser cannot show this codec. Download the video to play it elsewhere.";

/** The codec of the video in an initialisation segment, as MediaSource wants it named (RFC 6381). */
export function codecOf(bytes) {
  for (const [box, name] of Object.entries({ avcC: avc, hvcC: hevc, av1C: av1 })) {
    const at = find(bytes, box);
    if (at >= 0) return name(bytes.subarray(at + 4));
  }
  return null;
}

function avc(record) {
  const digits = [...record.subarray(1, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `avc1.${digits.join("")}`;
}

/** ISO/IEC 14496-15, annex E: profile, its compatible ones from the last bit on, tier and level, constraints. */
function hevc(record) {
  const flags = new DataView(record.buffer, record.byteOffset).getUint32(2);
  const compatible = [...flags.toString(2).padStart(32, "0")].reverse().join("");
  const constraints = [...record.subarray(6, 12)].map((byte) => byte.toString(16)).join(".").replace(/(\.0)+$/, "");
  const tier = record[1] & 0x20 ? "H" : "L";
  return `hvc1.${record[1] & 0x1f}.${parseInt(compatible, 2).toString(16)}.${tier}${record[12]}.${constraints}`;
}

/** The binding of AV1 to ISO BMFF, section 5: profile, level and tier, bits of a sample. */
function av1(record) {
  const level = String(record[1] & 0x1f).padStart(2, "0");
  return `av01.${record[1] >> 5}.${level}${record[2] & 0x80 ? "H" : "M"}.08`;
}

function find(bytes, name) {
  const wanted = [...name].map((letter) => letter.charCodeAt(0));
  for (let at = 0; at + 8 < bytes.length; at += 1) {
    if (wanted.every((code, i) => bytes[at + i] === code)) return at;
  }
  return -1;
}

/** What a playlist names: its parts in order, each with its initialisation, and whether more will come. */
export function readPlaylist(text) {
  const parts = [];
  let init = "";
  let ended = false;
  for (const line of text.split("\n").map((part) => part.trim())) {
    const map = /^#EXT-X-MAP:.*URI="([^"]+)"/.exec(line);
    if (map) init = map[1];
    else if (line === "#EXT-X-ENDLIST") ended = true;
    else if (line && !line.startsWith("#")) parts.push({ init, media: line });
  }
  return { parts, ended };
}

export class Player {
  #video;
  #note;
  #stop = () => {};
  #final = null;

  constructor(video, note) {
    this.#video = video;
    this.#note = note;
    // The finished file takes over where nobody notices.
    for (const kind of ["pause", "ended", "seeking"]) video.addEventListener(kind, () => this.#takeOver());
    // A browser without the codec plays the sound alone.
    for (const kind of ["loadedmetadata", "playing"]) video.addEventListener(kind, () => (note.textContent = video.videoWidth ? "" : NO_PICTURE));
  }

  /** Shows nothing but a note. */
  clear(text = "") {
    this.#stop();
    this.#stop = () => {};
    this.#final = null;
    this.#video.removeAttribute("src");
    this.#video.removeAttribute("poster");
    this.#video.replaceChildren();
    this.#video.load();
    this.#note.textContent = text;
  }

  /** Plays a finished video. */
  file(url, poster) {
    this.clear();
    this.#video.poster = poster;
    this.#video.src = url;
  }

  /** The finished file is there. */
  finish(url) {
    if (this.#video.src && !this.#video.src.startsWith("blob:")) return;
    this.#final = url;
    if (this.#video.paused || this.#video.error) this.#takeOver();
  }

  captions(url, language) {
    this.#video.replaceChildren();
    const track = document.createElement("track");
    Object.assign(track, { kind: "captions", src: url, srclang: language || "en", label: "Captions", default: true });
    this.#video.append(track);
  }

  #takeOver() {
    if (!this.#final) return;
    const { currentTime, paused, ended } = this.#video;
    const url = this.#final;
    this.#final = null;
    this.#stop();
    this.#video.src = url;
    this.#video.currentTime = ended ? 0 : currentTime;
    if (!paused && !ended) this.#play();
  }

  /** Plays a job's growing playlist from its beginning. */
  grow(url) {
    this.clear("The picture starts with the first chunk.");
    const kind = "application/vnd.apple.mpegurl";
    if (!window.MediaSource) {
      if (this.#video.canPlayType(kind)) this.#video.src = url;
      else this.#note.textContent = "This browser plays the video when it is finished.";
      return;
    }
    const stopping = new AbortController();
    const source = new MediaSource();
    const address = URL.createObjectURL(source);
    this.#video.src = address;
    this.#stop = () => {
      stopping.abort();
      URL.revokeObjectURL(address);
    };
    source.addEventListener("sourceopen", () => this.#feed(source, url, stopping.signal), { once: true });
  }

  async #feed(source, url, signal) {
    let buffer = null;
    let init = "";
    let next = 0;
    while (!signal.aborted) {
      const list = await playlist(url, signal);
      for (; list && next < list.parts.length; next += 1) {
        const part = list.parts[next];
        if (part.init !== init) {
          init = part.init;
          const head = await bytes(new URL(init, new URL(url, location)), signal);
          if (signal.aborted) return;
          buffer ??= this.#open(source, head);
          if (!buffer) return;
          await append(buffer, head);
        }
        const media = await bytes(new URL(part.media, new URL(url, location)), signal);
        if (signal.aborted) return;
        await this.#append(buffer, media);
        if (next === 0) this.#play();
      }
      if (list?.ended && next === list.parts.length) {
        if (source.readyState === "open") source.endOfStream();
        return;
      }
      await pause(LOOK_AGAIN, signal);
    }
  }

  #open(source, head) {
    const codec = codecOf(head);
    const type = `video/mp4; codecs="${codec}, mp4a.40.2"`;
    if (codec && MediaSource.isTypeSupported(type)) return source.addSourceBuffer(type);
    this.#note.textContent = "This browser plays the video when it is finished.";
    return null;
  }

  async #append(buffer, media) {
    try {
      await append(buffer, media);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      const end = this.#video.currentTime - KEEP_BEHIND;
      if (end > 0) await change(buffer, () => buffer.remove(0, end));
      await append(buffer, media);
    }
  }

  async #play() {
    this.#note.textContent = "";
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return;
      this.#video.muted = true;
      await this.#video.play().catch(() => {});
    }
  }
}

function change(buffer, act) {
  return new Promise((resolve, reject) => {
    const done = (event) => {
      buffer.removeEventListener("updateend", done);
      buffer.removeEventListener("error", done);
      if (event.type === "error") reject(new Error("the browser cannot decode the video"));
      else resolve();
    };
    buffer.addEventListener("updateend", done);
    buffer.addEventListener("error", done);
    try {
      act();
    } catch (error) {
      buffer.removeEventListener("updateend", done);
      buffer.removeEventListener("error", done);
      reject(error);
    }
  });
}

const append = (buffer, data) => change(buffer, () => buffer.appendBuffer(data));

async function playlist(url, signal) {
  try {
    const answer = await fetch(url, { signal });
    return answer.ok ? readPlaylist(await answer.text()) : null;
  } catch {
    return null;
  }
}

/** Fetches bytes; tries again until they come or nobody wants them any more. */
async function bytes(url, signal) {
  while (!signal.aborted) {
    try {
      const answer = await fetch(url, { signal });
      if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
    } catch {
      // the gateway is away
    }
    await pause(LOOK_AGAIN, signal);
  }
  return new Uint8Array();
}

const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
