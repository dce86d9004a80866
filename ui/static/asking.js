// How a question gets to Gradio: typed, from a button, with a slot lifted; and the filters that go with it.
(() => {
  "use strict";
  const { $, $$, say, t } = window.wenju;
  let pending = null;

  function chosen() {
    const filters = {};
    for (const field of $$("#wj-narrow [data-filter]")) {
      const value = field.type === "checkbox" && !field.checked ? "" : field.value.trim();
      if (value) filters[field.dataset.filter] = value;
    }
    return filters;
  }

  function ask(question, filters) {
    if (document.body.hasAttribute("data-busy")) return say(t("busy"));
    pending = { question, filters: filters ?? chosen() };
    location.hash = "#ask";
    $("#wj-go").click();
  }

  // Gradio calls this with what it would send; what it returns is sent.
  window.wenju.asking = (question, _, talk) => {
    const asked = pending ?? { question, filters: chosen() };
    const context = { filters: asked.filters, typed: !pending };
    pending = null;
    return [asked.question, JSON.stringify(context), talk];
  };

  function clear(field) {
    if (field.type === "checkbox") field.checked = false;
    else field.value = "";
  }

  function lift(button, name, value) {
    const filters = JSON.parse(button.closest(".wj-turn").dataset.filters);
    const field = $(`#wj-narrow [data-filter="${name}"]`);
    if (field) clear(field);
    if (value === undefined) delete filters[name];
    else filters[name] = value;
    count();
    ask(button.dataset.question, filters);
  }

  function count() {
    const names = Object.values(chosen());
    const place = $("#wj-narrow [data-narrowed]");
    if (place) place.textContent = names.length ? `：${names.join("，")}` : "";
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let on;
    if ((on = hit("[data-ask]"))) ask(on.dataset.ask);
    else if ((on = hit("[data-lift]"))) lift(on, on.dataset.lift, "");
    else if ((on = hit("[data-unlift]"))) lift(on, on.dataset.unlift);
    else if ((on = hit("[data-again]"))) {
      const turn = on.closest(".wj-turn");
      ask($(".wj-question", turn).textContent, JSON.parse(turn.dataset.filters));
    } else if (hit("[data-clear]")) {
      $$("#wj-narrow [data-filter]").forEach(clear);
      count();
    }
  });
  document.addEventListener("input", (event) => { if (event.target.closest("#wj-narrow")) count(); });
})();
