"use strict";
// Turns each chart's picture into one that fits the width and answers to the pointer. Without it the picture stays.
for (const script of document.querySelectorAll("script.vega-lite-spec")) {
  const figure = script.parentElement;
  const place = document.createElement("div");
  place.className = "live";
  figure.append(place);
  vegaEmbed(place, JSON.parse(script.textContent), {
    renderer: "svg",
    actions: false, // the menu has "Open in Vega Editor", which sends the data away
    ast: true, // no code is made from text, so that the content security policy can forbid it
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  }).then(
    () => figure.classList.add("drawn"),
    () => place.remove(),
  );
}
