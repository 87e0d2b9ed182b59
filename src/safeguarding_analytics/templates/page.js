"use strict";
// Turns each chart's picture into one that fits the width and answers to the pointer. Without it the picture stays.
const charts = []; // those that are drawn: view, and the names that can be chosen by heading
const drawing = [...document.querySelectorAll("script.vega-lite-spec")].map((script) => {
  const figure = script.parentElement;
  const specification = JSON.parse(script.textContent);
  const place = document.createElement("div");
  place.className = "live";
  figure.append(place);
  return vegaEmbed(place, specification, {
    renderer: "svg",
    actions: false, // the menu has "Open in Vega Editor", which sends the data away
    ast: true, // no code is made from text, so that the content security policy can forbid it
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  }).then(
    ({ view }) => {
      figure.classList.add("drawn");
      charts.push({ figure, view, ...choicesOf(specification) });
    },
    () => place.remove(),
  );
});

// What follows lets a reader choose groups: they are set off, or shown alone, in every chart and table that has them.
const MARGINS = ["Total", "All"];

/** What of a chart can be chosen: its fields, by heading, with their names; and its rows, to know how many are left. */
function choicesOf({ usermeta = {}, datasets = {}, data = {}, height }) {
  const rows = datasets[data.name] || [];
  const filtered = usermeta.filtered || [];
  const fields = Object.entries(usermeta.choices || {}).map(([field, heading]) => {
    const names = new Set(rows.map((row) => row[field]).filter((name) => name && !MARGINS.includes(name)));
    return { field, heading, names, isFiltered: filtered.includes(field) };
  });
  return { fields, rows, height };
}

/** The tables of the page: their body rows, and the place of each heading. */
function tablesOf() {
  return [...document.querySelectorAll("main table")].map((table) => ({
    rows: [...table.querySelectorAll("tbody tr")],
    places: new Map([...table.querySelectorAll("thead th")].map((cell, place) => [cell.textContent.trim(), place])),
  }));
}

/** An element with text or other elements in it; text is never read as markup. */
function made(tag, properties, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

function counted(number, one) {
  return number ? [`${number} ${one}${number === 1 ? "" : "s"}`] : [];
}

function startChoosing() {
  const names = new Map(); // by heading
  for (const { heading, names: found } of charts.flatMap(({ fields }) => fields)) {
    names.set(heading, new Set([...(names.get(heading) || []), ...found]));
  }
  const headings = [...names.keys()].filter((heading) => names.get(heading).size > 1);
  const before = document.querySelector("main h2") || document.querySelector("main .chart");
  // A page for a room has one view of everything, which nobody operates.
  if (!headings.length || !before || document.body.classList.contains("projector")) return;

  const inOrder = new Intl.Collator("en-GB", { numeric: true }).compare;
  const lists = headings.map((heading, number) => {
    const list = made("select", { id: `choice-${number}` }, new Option("all", ""));
    list.append(...[...names.get(heading)].sort(inOrder).map((name) => new Option(name, name)));
    return list;
  });
  const only = made("input", { type: "checkbox", id: "choice-only" });
  const reset = made("button", { type: "button" }, "Show all");
  const said = made("p", {}, inWords(new Map(), [], []));
  said.setAttribute("role", "status");
  const where = made("p", { className: "where" });
  const form = made(
    "form",
    { className: "choices" },
    made(
      "fieldset",
      {},
      made("legend", {}, "Choose what to look at"),
      ...headings.map((heading, number) =>
        made("div", {}, made("label", { htmlFor: `choice-${number}` }, heading), lists[number]),
      ),
      made("div", { className: "only" }, only, made("label", { htmlFor: "choice-only" }, "Show only what is chosen")),
      reset,
    ),
    said,
    where,
  );
  before.before(form);

  const tables = tablesOf();
  const links = [...document.querySelectorAll("nav a[href]")].map((link) => [link, link.getAttribute("href")]);
  let elsewhere = []; // what was chosen on another page and is not to be chosen here

  function show() {
    const chosen = new Map(headings.map((heading, number) => [heading, lists[number].value]).filter((one) => one[1]));
    const isOnly = only.checked && chosen.size > 0;
    const drawn = charts.map((chart) => chooseInChart(chart, chosen, isOnly));
    const printed = tables.map((table) => chooseInTable(table, chosen, isOnly));
    said.textContent = inWords(chosen, drawn, printed);
    where.replaceChildren(...linksTo(charts.filter((_, number) => drawn[number].size).map(({ figure }) => figure)));
    form.classList.toggle("active", chosen.size > 0);
    const state = new URLSearchParams([...elsewhere, ...chosen, ...(only.checked ? [["only", "1"]] : [])]).toString();
    history.replaceState(null, "", state ? `#${state}` : location.pathname + location.search);
    for (const [link, address] of links) link.setAttribute("href", state ? `${address}#${state}` : address);
  }

  /** Take over what an address asks for; names and headings that are not on this page change nothing here. */
  function read() {
    const asked = [...new URLSearchParams(location.hash.slice(1))].filter((one) => one[1]);
    if (!asked.length && location.hash) return; // a place on the page
    const wanted = new Map(asked);
    headings.forEach((heading, number) => {
      const name = wanted.get(heading);
      lists[number].value = names.get(heading).has(name) ? name : "";
    });
    only.checked = wanted.get("only") === "1";
    elsewhere = asked.filter(([heading, name]) => heading !== "only" && !(names.get(heading) || new Set()).has(name));
    show();
  }

  form.addEventListener("change", () => {
    elsewhere = elsewhere.filter(([heading]) => !headings.includes(heading));
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  reset.addEventListener("click", () => {
    for (const list of lists) list.value = "";
    only.checked = false;
    elsewhere = [];
    show();
  });
  addEventListener("hashchange", read);
  read();
}

/** Set the parameters of a chart. What became of it, by heading: "alone" or "set off"; nothing where it is as it was. */
function chooseInChart({ figure, view, fields, rows, height }, chosen, isOnly) {
  if (!fields.length) return new Map();
  const set = fields.filter(({ heading, names }) => names.has(chosen.get(heading)));
  for (const one of fields) view.signal(`chosen_${one.field}`, set.includes(one) ? chosen.get(one.heading) : "");
  const filters = set.filter(({ isFiltered }) => isFiltered && isOnly);
  if (fields.some(({ isFiltered }) => isFiltered)) view.signal("only_chosen", isOnly);
  if (fields.some(({ field, isFiltered }) => field === "row" && isFiltered)) {
    const kept = rows.filter((row) =>
      filters.every(({ field, heading }) => [chosen.get(heading), ...MARGINS].includes(row[field])),
    );
    const count = (some) => new Set(some.map((row) => row.row)).size;
    view.height((height * Math.max(1, count(kept))) / count(rows));
  }
  view.runAsync();
  figure.classList.toggle("altered", set.length > 0);
  return new Map(set.map((one) => [one.heading, filters.includes(one) ? "alone" : "set off"]));
}

/** Mark the rows of a table, or hide those of others; rows of everybody stay as they are. */
function chooseInTable({ rows, places }, chosen, isOnly) {
  const text = (row, heading) => row.cells[places.get(heading)]?.textContent.trim();
  const asked = [...chosen].filter(([heading, name]) => rows.some((row) => text(row, heading) === name));
  for (const row of rows) {
    const isOther = asked.some(([heading, name]) => ![name, ...MARGINS].includes(text(row, heading)));
    const isPicked = asked.length > 0 && asked.every(([heading, name]) => text(row, heading) === name);
    row.classList.toggle("picked", isPicked);
    row.classList.toggle("faded", isOther);
    row.hidden = isOther && isOnly;
    if (isPicked) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  return new Map(asked.map(([heading]) => [heading, isOnly ? "alone" : "set off"]));
}

/** What was chosen, what of the page shows it, and, of several choices, what shows them together. */
function inWords(chosen, drawn, printed) {
  if (!chosen.size) return "Nothing is chosen: all is shown.";
  const found = (fits) => {
    const [inCharts, inTables] = [drawn, printed].map((all) => all.filter(fits).length);
    return [...counted(inCharts, "chart"), ...counted(inTables, "table")].join(" and ");
  };
  const each = [...chosen].map(([heading, name]) => {
    const parts = [
      ["shown alone (beside totals) in", found((one) => one.get(heading) === "alone")],
      ["highlighted in", found((one) => one.get(heading) === "set off")],
    ].filter((part) => part[1]);
    return `${name}: ${parts.map((part) => part.join(" ")).join(", ")}.`;
  });
  const both = found((one) => one.size === chosen.size);
  const together = chosen.size < 2 ? [] : [`Together in ${both || "no chart or table: each shows what it has"}.`];
  const without = found((one) => !one.size);
  return [...each, ...together, ...(without ? [`Not in ${without}, left as they are.`] : [])].join(" ");
}

/** Links to the charts that show what was chosen, by their numbers. */
function linksTo(figures) {
  const all = [...document.querySelectorAll("figure.chart")];
  const chapter = document.body.dataset.chapter ? `${document.body.dataset.chapter}.` : "";
  const links = figures.map((figure) => {
    const number = all.indexOf(figure) + 1;
    figure.id ||= `figure-${number}`;
    return made("a", { href: `#${figure.id}` }, `Figure ${chapter}${number}`);
  });
  return links.length ? ["Go to: ", ...links.flatMap((link, place) => (place ? [", ", link] : [link]))] : [];
}

Promise.allSettled(drawing).then(startChoosing);
