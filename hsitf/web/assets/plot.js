// Small plots as SVG: the spectrum of a pixel, and its logits.

const NS = "http://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Replaces the content of an SVG by a line through values over places. */
export function line(svg, places, values, label) {
  const [width, height, left, bottom] = [420, 200, 44, 28];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [places[0], places.at(-1)];
  const x = (place) => left + ((place - first) / (last - first || 1)) * (width - left - 8);
  const y = (value) => 8 + (1 - (value - low) / (high - low || 1)) * (height - bottom - 8);
  const points = places.map((place, at) => `${x(place).toFixed(1)},${y(values[at]).toFixed(1)}`);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(
    element("line", { x1: left, y1: height - bottom, x2: width - 8, y2: height - bottom, class: "axis" }),
    element("line", { x1: left, y1: 8, x2: left, y2: height - bottom, class: "axis" }),
    element("polyline", { points: points.join(" "), class: "curve" }),
    element("text", { x: left, y: height - 10 }, short(first)),
    element("text", { x: width - 8, y: height - 10, "text-anchor": "end" }, short(last)),
    element("text", { x: (left + width) / 2, y: height - 10, "text-anchor": "middle" }, label),
    element("text", { x: left - 5, y: 16, "text-anchor": "end" }, short(high)),
    element("text", { x: left - 5, y: height - bottom, "text-anchor": "end" }, short(low)),
  );
}

function short(value) {
  const size = Math.abs(value);
  return size >= 100 || size === 0 ? value.toFixed(0) : value.toPrecision(2);
}
