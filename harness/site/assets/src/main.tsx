// Everything here adds to pages that are whole without it.
import { followPair, mountAnswer } from "./answer";
import { followSplit, mountCellPage } from "./cellpage";
import { mountCompare } from "./compare";
import { mountPaste, mountRowFilter } from "./small";
import { mountView } from "./view";

const all = <T extends HTMLElement>(selector: string): T[] => [...document.querySelectorAll<T>(selector)];

if (document.body.dataset.page === "can-index") followPair();
all<HTMLFormElement>("form#answer").forEach(mountAnswer);
all("section.view").forEach((section) => void (section.dataset.view === "compare" ? mountCompare(section) : mountView(section)));
all<HTMLTableElement>("table.cells[data-evidence]").forEach(mountCellPage);
all("ul.clients[data-split]").forEach((list) => {
  followSplit(list);
  window.addEventListener("hashchange", () => followSplit(list));
});
all<HTMLDetailsElement>("details.paste").forEach(mountPaste);
all<HTMLTableElement>("table.verdicts").forEach(mountRowFilter);
