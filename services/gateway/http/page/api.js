// Speaks to the gateway. Errors carry what the gateway said.

export class Problem extends Error {
  constructor(status, body) {
    super(body?.error?.message ?? `the gateway answered ${status}`);
    this.status = status;
  }
}

let whenAsked = () => {};

/** Calls `callback` whenever the gateway wants to know who is there. */
export function onUnknownCaller(callback) {
  whenAsked = callback;
}

export async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Problem(0, { error: { message: "The gateway does not answer. This page goes on when it is back." } });
  }
  if (answer.status === 401) whenAsked();
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => null));
  return answer.status === 204 ? null : answer.json();
}

export const post = (path, body) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });

/** Stores a file; `progress` hears of the part that has arrived, 0 to 1. Returns its SHA-256. */
export function upload(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/assets");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new Problem(0, { error: { message: "The upload broke off." } }));
    request.onload = () => {
      if (request.status === 401) whenAsked();
      if (request.status >= 400) reject(new Problem(request.status, request.response));
      else resolve(request.response.asset.sha256);
    };
    request.send(file);
  });
}

const AGAIN_AFTER = 1500;

/**
 * Follows server-sent events through broken connections and restarts of the gateway.
 * `handlers` maps kinds of events to functions; returns a function that stops.
 */
export function follow(path, handlers, alive = () => {}) {
  let source;
  let timer;
  let seen = 0;
  const open = () => {
    source = new EventSource(seen ? `${path}?from=${seen + 1}` : path);
    source.onopen = () => alive(true);
    source.onerror = () => {
      alive(false);
      if (source.readyState !== EventSource.CLOSED) return;
      // Answers other than a stream end an EventSource for good: a gateway that restarts gives some.
      timer = setTimeout(open, AGAIN_AFTER);
    };
    for (const [kind, handle] of Object.entries(handlers)) {
      source.addEventListener(kind, (event) => {
        seen = Math.max(seen, Number(event.lastEventId) || 0);
        handle(JSON.parse(event.data));
      });
    }
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
