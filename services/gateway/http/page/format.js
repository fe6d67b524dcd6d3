// Numbers and words for people.

export const seconds = (duration) => (duration ? Number.parseFloat(duration) : 0);

export function length(value) {
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 90) return `${Math.round(value)} s`;
  const minutes = Math.floor(value / 60);
  return `${minutes}:${String(Math.round(value - 60 * minutes)).padStart(2, "0")} min`;
}

export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export const stateName = (state) => (state ?? "").replace("JOB_STATE_", "").toLowerCase();

export function ago(time) {
  const past = (Date.now() - Date.parse(time)) / 1000;
  if (past < 60) return "just now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  return new Date(time).toLocaleDateString();
}

/** The time of day. */
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

/** A colour for each worker, by its place among those seen. */
export function hue(index) {
  const angle = (28 + index * 137.5) % 360;
  return `light-dark(oklch(0.62 0.14 ${angle}), oklch(0.72 0.13 ${angle}))`;
}

/** An element with properties, and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
