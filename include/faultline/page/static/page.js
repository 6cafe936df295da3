// The theme of Airflow around us, charts, and fresh content without losing one's place. The page works without it.
"use strict";

// Airflow says which theme it has by a class of its own document; alone, the system's decides.
const host = (() => {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    return null;
  }
})();

const charts = () => document.querySelectorAll("[data-chart]");

function followTheme() {
  const theme = ["dark", "light"].find((name) => host.classList.contains(name));
  if (theme) document.documentElement.dataset.theme = theme;
  charts().forEach(draw);
}

if (host) {
  followTheme();
  new MutationObserver(followTheme).observe(host, { attributeFilter: ["class"] });
} else {
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts().forEach(draw));
}

// A figure names, in data-chart, the element with its data and layout as JSON. Colours come from the style sheet:
// a trace may name a variable of it, such as "--critical". The library takes tags in texts for formatting and links;
// ours are only in the templates of a hover.
function draw(figure) {
  if (!window.Plotly) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const source = document.getElementById(figure.dataset.chart);
  const { data, layout = {} } = JSON.parse(source.textContent, (name, value) => {
    if (typeof value !== "string" || name.endsWith("template")) return value;
    return /^--[a-z]+$/.test(value) ? colour(value) : value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  });
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line") };
  const axes = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
  const merged = Object.fromEntries([...new Set(["xaxis", "yaxis", ...axes])].map((name) => [name, { ...axis, ...layout[name] }]));
  const common = {
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { color: colour("--soft"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    margin: { l: 48, r: 16, t: 16, b: 36 },
    modebar: { bgcolor: "transparent", color: colour("--soft"), activecolor: colour("--text") },
    hoverlabel: { bgcolor: colour("--raised"), bordercolor: colour("--line"), font: { color: colour("--text") } },
  };
  const buttons = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"];
  const options = { displaylogo: false, responsive: true, modeBarButtons: [buttons] };
  window.Plotly.react(figure, data, { ...common, ...layout, ...merged }, options);
  if (!followed.has(figure)) follow(figure);
}

// A chart may lead on: data-zoom names the parameters for the start and the end of what is drawn across, data-open is an
// address that gets those of the point that is clicked, which stands for so many seconds before it and after it.
const followed = new WeakSet();
const utc = (text) => new Date(`${text.replace(" ", "T")}Z`);
const asked = (date) => date.toISOString().slice(0, 19);

function go(address, start, end, names = "since until") {
  const to = new URL(address, location.href);
  const [since, until] = names.split(" ");
  to.searchParams.set(since, asked(start));
  to.searchParams.set(until, asked(end));
  location.assign(to);
}

function follow(figure) {
  followed.add(figure);
  const { zoom, open, before, after } = figure.dataset;
  if (zoom) {
    figure.on("plotly_relayout", (change) => {
      const [start, end] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (start && end) go(location.href, utc(start), new Date(Math.ceil(utc(end) / 1000) * 1000), zoom);
    });
  }
  if (open) {
    figure.on("plotly_click", ({ points }) => {
      const at = utc(points[0].x).getTime();
      go(open, new Date(at - before * 1000), new Date(at + after * 1000));
    });
  }
}

// What a person has opened, typed, selected or scrolled to stays as it is.
function place() {
  const open = new Map([...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
  const scrolled = [...document.querySelectorAll("[data-refresh] [id]")].filter((each) => each.scrollTop > 0);
  return { open, scrolled: scrolled.map((each) => [each.id, each.scrollTop]), focus: pathTo(document.activeElement) };
}

// The nearest element above with an id, and which of its links, buttons and summaries it is.
const REACHABLE = "a, button, summary, input, select, textarea";
function pathTo(element) {
  const owner = element?.closest("[data-refresh] [id]");
  return owner && { id: owner.id, number: [owner, ...owner.querySelectorAll(REACHABLE)].indexOf(element) };
}

function restore({ open, scrolled, focus }) {
  for (const each of document.querySelectorAll("details[id]")) each.open = open.get(each.id) ?? each.open;
  for (const [id, top] of scrolled) document.getElementById(id)?.scrollTo(0, top);
  const owner = focus && document.getElementById(focus.id);
  if (owner) [owner, ...owner.querySelectorAll(REACHABLE)][focus.number]?.focus({ preventScroll: true });
}

const busy = (live) =>
  document.hidden ||
  (!getSelection().isCollapsed && live.contains(getSelection().anchorNode)) ||
  (live.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"));

const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

async function refresh(live, whatever = false) {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
  if (!answer.ok) throw new Error(answer.statusText);
  const fresh = (await parsed(answer)).querySelector("[data-refresh]");
  if (!fresh || (busy(live) && !whatever)) return;
  const kept = place();
  const [x, y] = [scrollX, scrollY];
  live.dataset.refresh = fresh.dataset.refresh;
  live.replaceChildren(...fresh.childNodes);
  restore(kept);
  scrollTo(x, y);
  charts().forEach(draw);
}

async function keepFresh(live) {
  for (;;) {
    await new Promise((wake) => setTimeout(wake, Number(live.dataset.refresh) * 1000));
    if (busy(live)) continue;
    const failed = await refresh(live).then(() => false, () => true);
    live.toggleAttribute("data-stale", failed);
  }
}

// A change made from a list leaves one where one is; what went wrong with it is a page of its own.
async function stay(event) {
  const form = event.target;
  if (!form.matches("form[data-stay]")) return;
  event.preventDefault();
  const live = form.closest("[data-refresh]");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (!answer.ok) return document.body.replaceWith((await parsed(answer)).body);
    form.closest("details")?.removeAttribute("open");
    await refresh(live, true);
  } catch {
    live.toggleAttribute("data-stale", true);
  }
}

// What is previewed follows what is typed; nothing can be set by it before it does.
function preview(form) {
  let waiting;
  form.addEventListener("input", () => {
    const shown = document.getElementById(form.dataset.preview);
    for (const button of shown.querySelectorAll("button")) button.disabled = true;
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const query = new URLSearchParams(new FormData(form)).toString();
      const answer = await fetch(`${form.action.split("?")[0]}?${query}`, { headers: { accept: "text/html" } }).catch(() => null);
      const fresh = answer?.ok && (await parsed(answer)).getElementById(shown.id);
      if (fresh && query === new URLSearchParams(new FormData(form)).toString()) shown.replaceChildren(...fresh.childNodes);
    }, 300);
  });
}

// A message about a line leads to it, selected and in sight.
function goToLine(event) {
  const link = event.target.closest("[data-line]");
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  const lines = field.value.split("\n");
  const number = Math.min(Number(link.dataset.line), lines.length) - 1;
  const start = lines.slice(0, number).reduce((sum, line) => sum + line.length + 1, 0);
  field.focus();
  field.setSelectionRange(start, start + lines[number].length);
  field.scrollTo(0, (number - 3) * parseFloat(getComputedStyle(field).lineHeight));
}

document.addEventListener("click", goToLine);
document.addEventListener("submit", stay);
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("form[data-preview]").forEach(preview);
  charts().forEach(draw);
  document.querySelectorAll("[data-refresh]").forEach(keepFresh);
  for (const form of document.querySelectorAll("form.filters")) {
    form.addEventListener("change", (event) => event.target.matches("[type=checkbox], select") && form.requestSubmit());
    // An address without what was left empty.
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
    });
  }
});
