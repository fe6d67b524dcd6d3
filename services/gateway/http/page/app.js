// Puts the page together: form, stage, workers, videos.

import { call, follow, onUnknownCaller, post } from "./api.js";
import { drawCluster } from "./cluster.js";
import { Composer } from "./compose.js";
import { History } from "./history.js";
import { Stage } from "./job.js";

const $ = (id) => document.getElementById(id);

const history = new History($("history"), $("more"));
const composer = new Composer((id) => {
  location.hash = `job=${id}`;
  history.refresh().catch(() => {});
  $("job").scrollIntoView({ block: "nearest" });
});
const stage = new Stage(
  (spec) => composer.fill(spec),
  () => history.refresh().catch(() => {}),
);

function route() {
  const id = /^#job=(j[a-z0-9]+)$/.exec(location.hash)?.[1];
  if (id) stage.show(id);
  else if (stage.job) stage.close();
  history.mark();
}

let signature = "";

/** What there is to choose from follows the workers that are up. */
function choices(cluster) {
  const engines = (cluster.workers ?? []).flatMap((member) => (member.worker?.engines ?? []).map((engine) => engine.name));
  const now = [...new Set(engines)].sort().join();
  if (now === signature) return;
  signature = now;
  composer.load().catch(() => (signature = ""));
}

function alive(is) {
  $("pulse").classList.toggle("away", !is);
  if (!is) $("pulse").textContent = "the gateway is away; waiting for it";
}

function watchCluster() {
  const show = (cluster) => (drawCluster($("cluster"), $("pulse"), cluster), choices(cluster));
  follow("/api/cluster/events", { cluster: show }, alive);
}

/** Shows the workers to those who may see them. */
async function start() {
  const session = await call("/api/session").catch(() => null);
  $("sign-out").hidden = !session?.token_needed;
  history.refresh().catch(() => {});
  route();
  if (!session || session.scopes.includes("admin")) {
    watchCluster();
    return;
  }
  composer.load().catch(() => {});
  $("cluster").closest("section").hidden = true;
  $("pulse").textContent = `${session.name} for ${session.tenant}`;
}

onUnknownCaller(() => $("sign-in").open || $("sign-in").showModal());

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await post("/api/session", { token: $("token").value });
    location.reload();
  } catch (error) {
    $("sign-in-problem").hidden = false;
    $("sign-in-problem").textContent = error.message;
  }
});

$("sign-out").addEventListener("click", async () => {
  await call("/api/session", { method: "DELETE" }).catch(() => {});
  location.reload();
});

window.addEventListener("hashchange", route);
start();
