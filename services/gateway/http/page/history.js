// The list of videos, newest first.

import { call } from "./api.js";
import { ago, length, make, stateName } from "./format.js";

const PAGE = 12;

export class History {
  #list;
  #more;
  #next = "";

  constructor(list, more) {
    this.#list = list;
    this.#more = more;
    more.addEventListener("click", () => this.#page(this.#next));
  }

  async refresh() {
    this.#list.replaceChildren();
    await this.#page("");
  }

  async #page(token) {
    const answer = await call(`/api/jobs?page_size=${PAGE}&page_token=${token}`);
    this.#list.append(...(answer.jobs ?? []).map((job) => this.#item(job)));
    this.#next = answer.next_page_token ?? "";
    this.#more.hidden = !this.#next;
    this.mark();
  }

  /** Marks the job that is on the stage. */
  mark() {
    for (const link of this.#list.querySelectorAll("a")) {
      if (link.getAttribute("href") === location.hash) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  #item(job) {
    const state = stateName(job.state);
    const fps = job.format?.fps ? job.format.fps.numerator / job.format.fps.denominator : 25;
    const told = state === "done" ? length(Number(job.frames ?? 0) / fps) : state;
    const title = job.spec?.title || job.spec?.text || "A recording";
    return make(
      "li",
      {},
      make(
        "a",
        { href: `#job=${job.id}` },
        make("span", { className: "thumb" }, job.result?.poster ? poster(job.id) : state === "done" ? "▶" : "…"),
        make("span", {}, make("strong", { textContent: title }), make("small", { className: `state-${state}`, textContent: `${told}  ·  ${ago(job.created)}` })),
      ),
    );
  }
}

/** A picture of a video; it is fetched when it comes into sight. */
const poster = (id) => make("img", { alt: "", loading: "lazy", src: `/api/poster/${id}.jpg` });
