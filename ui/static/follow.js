// Following the conversation as Gradio redraws it, the keys, and the start of everything.
(() => {
  "use strict";
  const { $, say, english, show, source, keep, start } = window.wenju;
  let told = "";

  function follow() {
    const turn = $("#wj-current .wj-turn");
    document.body.toggleAttribute("data-asked", Boolean(turn));
    document.body.toggleAttribute("data-busy", turn?.dataset.state === "busy");
    if (!turn) {
      if (told) source.empty();
      told = "";
      return;
    }
    const now = `${turn.dataset.turn} ${turn.dataset.state} ${turn.dataset.say} ${$(".wj-question", turn).textContent}`;
    if (now === told) return;
    const begun = window.wenju.restored || told.split(" ")[0] !== turn.dataset.turn;
    window.wenju.restored = false;
    told = now;
    say(english() ? turn.dataset.sayEn : turn.dataset.say);
    if (begun) {
      source.empty();
      requestAnimationFrame(() => $("#wj-latest").scrollIntoView({ block: "start" }));  // after the welcome has left
    }
    const record = $("[data-record]", turn);
    if (record) keep(Number(turn.dataset.turn), JSON.parse(record.textContent));
    if (turn.dataset.state === "answered") source.first(turn.dataset.turn);
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    location.hash = "#ask";
    requestAnimationFrame(() => $("#wj-box textarea").focus());
  });

  function begin() {
    if (!["#wj-current", "#wj-panel", "#wj-list", "#wj-talks", "#wj-words", "#wj-box textarea", "#wj-send", "#wj-stop"].every((s) => $(s))) return false;
    start();
    source.start();
    new MutationObserver(follow).observe($("#wj-current"), { childList: true, subtree: true });
    show();
    return true;
  }

  const waiting = new MutationObserver(() => { if (begin()) waiting.disconnect(); });
  if (!begin()) waiting.observe(document.documentElement, { childList: true, subtree: true });
})();
