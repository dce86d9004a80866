// Keeps the progress of a run fresh, and shows the whole page anew when it has ended.
(() => {
  "use strict";
  const running = () => document.getElementById("now")?.dataset.state === "running";
  if (!running()) return;
  const timer = setInterval(async () => {
    try {
      const answer = await fetch("./eval/now");
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("now");
      const now = document.getElementById("now");
      if (fresh.dataset.state !== "running") {
        clearInterval(timer);
        location.reload();
      } else if (now.contains(document.activeElement)) {  // do not take the button from under the keyboard
        now.querySelector("p").replaceWith(fresh.querySelector("p"));
        now.querySelector("progress").replaceWith(fresh.querySelector("progress"));
      } else now.replaceWith(fresh);
    } catch { /* the service is away: the next time, perhaps */ }
  }, 700);
})();
