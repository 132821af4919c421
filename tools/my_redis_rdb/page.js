"use strict";
const tip = document.getElementById("tip");
const kinds = {};
for (const button of document.querySelectorAll("#legend button")) {
  const kind = button.className;
  kinds[kind] = [button.textContent, button.title];
  // A click on a kind of byte dims all other kinds.
  button.onclick = () => {
    const on = button.classList.toggle("on");
    for (const other of document.querySelectorAll("#legend button")) if (other !== button) other.classList.remove("on");
    for (const row of document.querySelectorAll("main p")) row.classList.toggle("dim", on && !row.classList.contains(kind));
  };
}
document.querySelector("main").addEventListener("mouseover", event => {
  const row = event.target.closest("p");
  const kind = row && row.classList[0];
  if (!kinds[kind]) return;
  const [name, says] = kinds[kind];
  const text = row.firstChild.textContent;
  const size = row.dataset.n;
  const first = row.children[1].textContent.slice(0, 2);
  const place = text.startsWith("+") ? `byte ${text} of the plain block` : `offset ${text} (0x${Number(text).toString(16)})`;
  const bits = size === "1" ? `, ${first} = ${parseInt(first, 16).toString(2).padStart(8, "0")}` : "";
  tip.className = kind;
  tip.replaceChildren(Object.assign(document.createElement("em"), {textContent: name}),
    ` at ${place}, ${size} ${size === "1" ? "byte" : "bytes"}${bits}. ${says}`);
});
for (const [id, open] of [["all", true], ["none", false]])
  document.getElementById(id).onclick = () => {
    for (const part of document.querySelectorAll("details.key")) part.open = open;
  };
