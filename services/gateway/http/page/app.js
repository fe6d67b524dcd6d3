// Lists the jobs, and keeps the list fresh whenever the cluster changes.

const rows = document.querySelector("#jobs");

function row(job) {
  const line = document.createElement("tr");
  const state = (job.state ?? "").replace("JOB_STATE_", "").toLowerCase();
  for (const text of [job.id, state, `${Math.round(job.percent ?? 0)} %`]) {
    line.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  const cell = document.createElement("td");
  if (job.result) cell.append(Object.assign(document.createElement("a"), { href: `/api/download/${job.id}`, textContent: "download" }));
  line.append(cell);
  return line;
}

async function refresh() {
  const answer = await fetch("/api/jobs");
  const { jobs = [] } = await answer.json();
  rows.replaceChildren(...jobs.map(row));
}

new EventSource("/api/cluster/events").addEventListener("cluster", refresh);
