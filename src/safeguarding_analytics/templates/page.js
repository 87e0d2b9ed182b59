"use strict";
// Turns each chart's picture into one that fits the width and answers to the pointer. Without it the picture stays.
const MARGINS = JSON.parse(document.querySelector("main").dataset.margins); // rows of everybody, which nobody chooses
const IN_ORDER = JSON.parse(document.querySelector("main").dataset.choices); // headings of what can be chosen
const PAPER = 672; // pixels that a chart may take on paper
const embed = vegaEmbed; // nothing is done where it is missing
const charts = [...document.querySelectorAll("script.vega-lite-spec")].map((script) => {
  const specification = JSON.parse(script.textContent);
  const place = made("div", { className: "live" });
  script.parentElement.append(place);
  return { figure: script.parentElement, specification, place, view: null, ...choicesOf(specification) };
});
let choice = { chosen: new Map(), isOnly: false }; // which those have to show that are drawn later

async function draw(chart) {
  const settings = {
    renderer: "svg",
    actions: false, // the menu has "Open in Vega Editor", which sends the data away
    ast: true, // no code is made from text, so that the content security policy can forbid it
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };
  try {
    chart.view = (await embed(chart.place, chart.specification, settings)).view;
    if (choice.chosen.size) chooseInChart(chart, choice.chosen, choice.isOnly);
    chart.figure.classList.add("drawn");
  } catch {
    chart.place.remove();
    charts.splice(charts.indexOf(chart), 1); // its picture shows no choice
  }
}

/** Draw all charts, one at a time: of those that are left the one that a reader is nearest to. */
async function drawAll() {
  const left = [...charts];
  const away = ({ figure }) => {
    const { top, bottom } = figure.getBoundingClientRect();
    return Math.max(0, top - innerHeight, -bottom);
  };
  while (left.length) {
    const distances = left.map(away);
    const [next] = left.splice(distances.indexOf(Math.min(...distances)), 1);
    await draw(next);
    await new Promise((done) => setTimeout(done)); // what the reader does comes first
  }
}

// What follows lets a reader choose groups: they are set off, or shown alone, in every chart and table that has them.
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

/** The tables of the page: their body rows, their headings and the place of each, and what marks in them mean. */
function tablesOf() {
  return [...document.querySelectorAll("main table")].map((table) => {
    const note = (table.closest(".wide") || table).nextElementSibling;
    const headings = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    const marks = note?.matches(".note") ? [...note.textContent.matchAll(/(\S+) = ([^.]+)\./g)] : [];
    return {
      table,
      rows: [...table.querySelectorAll("tbody tr")],
      headings,
      places: new Map(headings.map((heading, place) => [heading, place])),
      marks: new Map(marks.map(([, mark, meaning]) => [mark, meaning])),
    };
  });
}

/** The questions of the page: the heading of each, and the parts between it and the next one. */
function questionsOf() {
  const questions = [];
  for (const part of document.querySelector("main").children) {
    const heading = part.querySelector("h2");
    if (heading) questions.push({ heading, parts: [] });
    if (questions.length && !part.querySelector("h1")) questions.at(-1).parts.push(part);
  }
  return questions;
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
  const headings = IN_ORDER.filter((heading) => names.has(heading) && names.get(heading).size > 1);
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
  const numbers = made("div", { className: "numbers", ariaLive: "polite" });
  const onPaper = made("p", { className: "on-paper" });
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
    numbers,
    where,
    onPaper,
  );
  // A heading that is the first of its part has the form before that part, which paper may leave out.
  (before.matches("h2") && !before.previousElementSibling ? before.parentElement : before).before(form);

  const tables = tablesOf();
  const questions = questionsOf();
  const links = [...document.querySelectorAll("header nav a[href]")].map((link) => [link, link.getAttribute("href")]);
  let elsewhere = []; // what is asked for and cannot be chosen here: it may be of another page

  function show() {
    const chosen = new Map(headings.map((heading, number) => [heading, lists[number].value]).filter((one) => one[1]));
    const isOnly = only.checked && chosen.size > 0;
    choice = { chosen, isOnly };
    const drawn = charts.map((chart) => chooseInChart(chart, chosen, isOnly));
    const printed = tables.map((table) => chooseInTable(table, chosen, isOnly));
    said.textContent = [...notHere(elsewhere, headings), inWords(chosen, drawn, printed)].join(" ");
    where.replaceChildren(...linksTo(charts, (_, number) => drawn[number].size > 0));
    numbers.replaceChildren(...numbersOf(tables, printed).map((sentence) => made("p", {}, sentence)));
    const showing = [
      ...charts.filter((_, number) => drawn[number].size).map(({ figure }) => figure),
      ...tables.filter((_, number) => printed[number].size).map(({ table }) => table),
    ];
    onPaper.textContent = leftOutOnPaper(questions, showing, [...chosen.values()]);
    form.classList.toggle("active", chosen.size > 0);
    const state = new URLSearchParams([...elsewhere, ...chosen, ...(only.checked ? [["only", "1"]] : [])]).toString();
    history.replaceState(null, "", `${location.pathname}${without(headings)}${state ? `#${state}` : ""}`);
    for (const [link, address] of links) link.setAttribute("href", state ? `${address}#${state}` : address);
  }

  /** Take over what an address asks for; names and headings that are not on this page change nothing here. */
  function read() {
    const inQuery = asksFor(location.search).filter(([heading]) => headings.includes(heading)); // others are not ours
    const inHash = asksFor(location.hash);
    if (!inHash.length && !inQuery.length && location.hash) return; // a place on the page
    const asked = [...new Map([...inQuery, ...inHash])];
    const wanted = new Map(asked.map(([heading, name]) => [heading, alike(name, names.get(heading) || [])]));
    headings.forEach((heading, number) => {
      lists[number].value = wanted.get(heading) ?? "";
    });
    only.checked = new Map(asked).get("only") === "1";
    elsewhere = asked.filter(([heading]) => heading !== "only" && wanted.get(heading) === undefined);
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

/** What a part of an address asks for: heading and name, each heading as this program writes it. */
function asksFor(part) {
  const asked = [...new URLSearchParams(part.slice(1))].filter((one) => one[1]);
  return asked.map(([heading, name]) => [alike(heading, IN_ORDER) ?? heading, name]);
}

/** The word that is the same, or else the same but for capital letters; undefined where there is none. */
function alike(word, words) {
  const all = [...words];
  return all.find((one) => one === word) ?? all.find((one) => one.toLowerCase() === word.toLowerCase());
}

/** The query of the address without choices: these stand behind the sign for a place on the page. */
function without(headings) {
  const kept = new URLSearchParams(location.search);
  for (const key of [...kept.keys()]) if (headings.includes(alike(key, IN_ORDER))) kept.delete(key);
  return `${kept}` && `?${kept}`;
}

/** Sentences on what is asked for and cannot be chosen on this page. */
function notHere(elsewhere, headings) {
  return elsewhere
    .filter(([heading]) => IN_ORDER.includes(heading))
    .map(([heading, name]) => {
      const short = name.length > 60 ? `${name.slice(0, 60)}…` : name;
      return headings.includes(heading)
        ? `Sorry, this page has no ${heading} “${short}”: check the address, or choose from the list.`
        : `This page shows nothing by ${heading}, so “${short}” changes nothing here.`;
    });
}

/** Set the parameters of a chart. What became of it, by heading: "alone" or "set off"; nothing where it is as it was. */
function chooseInChart({ figure, view, fields, rows, height }, chosen, isOnly) {
  const set = fields.filter(({ heading, names }) => names.has(chosen.get(heading)));
  const filters = set.filter(({ isFiltered }) => isFiltered && isOnly);
  const became = new Map(set.map((one) => [one.heading, filters.includes(one) ? "alone" : "set off"]));
  if (!view || !fields.length) return became;
  for (const one of fields) view.signal(`chosen_${one.field}`, set.includes(one) ? chosen.get(one.heading) : "");
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
  return became;
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

/** The numbers of what was chosen, as the tables print them: of the first two that have a row of just that. */
function numbersOf(tables, printed) {
  const picked = tables.map(({ rows }) => rows.filter((row) => row.matches(".picked")));
  const most = Math.max(0, ...printed.map((found) => found.size));
  const told = tables.filter((_, number) => printed[number].size === most && picked[number].length === 1);
  return told.slice(0, 2).map((table) => inNumbers(table, picked[tables.indexOf(table)][0]));
}

/** A row of a table as a sentence: its numbers with their headings, and of those that are not shown why not. */
function inNumbers({ table, headings, marks }, row) {
  const cells = [...row.cells].map((cell, place) => [cell, headings[place], cell.textContent.trim()]);
  const names = cells.filter(([cell]) => cell.matches("th")).map((one) => one[2]);
  const numbers = cells.filter(([cell, , text]) => !cell.matches("th") && text);
  const shown = numbers.filter((one) => !marks.has(one[2])).map(([, heading, text]) => `${heading} ${text}`);
  const kinds = [...new Set(numbers.map((one) => one[2]))].filter((text) => marks.has(text));
  const missing = kinds.map((mark) => {
    const headings = numbers.filter((one) => one[2] === mark).map((one) => one[1]);
    return `${headings.join(", ")}: ${mark}, ${marks.get(mark)}`;
  });
  const caption = table.querySelector("caption")?.textContent.trim();
  return `${names.join(", ")}${caption ? ` in “${caption}”` : ""}: ${[...shown, ...missing].join("; ")}.`;
}

/** Have paper leave out the questions that have charts and tables, none of which shows what was chosen, and say so. */
function leftOutOnPaper(questions, showing, names) {
  const left = questions.filter(({ parts }) => {
    const isLeft =
      names.length > 0 &&
      parts.some((part) => part.querySelector(".chart, .wide table")) &&
      !parts.some((part) => showing.some((one) => part.contains(one)));
    for (const part of parts) part.classList.toggle("not-on-paper", isLeft);
    return isLeft;
  });
  const [who, asked] = [names.join(" and "), left.map(({ heading }) => heading.textContent.trim())];
  const rows = `Printed for ${who}: rows of others are left out of the tables.`;
  return asked.length ? `${rows} Questions that do not show ${who} are left out: ${asked.join(" ")}` : rows;
}

/** Links to the charts that show what was chosen, by their numbers; of three or more in a row to the ends alone. */
function linksTo(charts, isShowing) {
  const rows = [[]];
  charts.forEach((chart, number) => {
    if (isShowing(chart, number)) rows.at(-1).push(chart.figure);
    else rows.push([]);
  });
  const link = (figure) => made("a", { href: `#${figure.id}` }, `Figure ${numberOf(figure)}`);
  const parts = rows
    .filter((row) => row.length)
    .flatMap((row) => (row.length < 3 ? row.map((one) => [link(one)]) : [[link(row[0]), " to ", link(row.at(-1))]]));
  return parts.length ? ["Go to: ", ...parts.flatMap((part, place) => (place ? [", ", ...part] : part))] : [];
}

function numberOf(figure) {
  return figure.querySelector("figcaption strong").dataset.number;
}

// Tables that are folded on the screen are open on paper, also where the style sheet alone cannot open them.
if (!CSS.supports("selector(::details-content)")) {
  const folded = () => [...document.querySelectorAll("main details:not([open])")].filter((one) => !isLong(one));
  const isLong = (one) => one.querySelector("tbody tr:nth-child(61)");
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = folded();
    for (const one of unfolded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of unfolded) one.open = false;
  });
}

// A chart that shows a choice is as wide on paper as that is, whatever the screen.
addEventListener("beforeprint", () => {
  for (const { figure, view } of charts) if (figure.matches(".altered")) view.width(PAPER).run();
});
addEventListener("afterprint", () => dispatchEvent(new Event("resize"))); // as after any change of the width

// On a telephone the contents are folded.
for (const contents of document.querySelectorAll(".contents details")) contents.open = innerWidth >= 600;

startChoosing();
drawAll();
