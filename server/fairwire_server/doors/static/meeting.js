// The pages for guests: the reader's own time beside the fair's, a countdown, and going on when the door opens. All of it works
// without this too: the page then comes again by itself and shows the fair's time. U+2060 keeps the hours of a span on one line.
"use strict";

const language = document.documentElement.lang;

for (const own of document.querySelectorAll(".own")) {
  const time = (ms, options) => new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", options).format(Number(ms));
  const day = { weekday: "long", year: "numeric", month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const place = Object.assign(document.createElement("span"), { className: "meta", textContent: zone });
  own.querySelector("dd").replaceChildren(
    `${time(own.dataset.starts, day)}–\u2060${time(own.dataset.ends, { hour: "2-digit", minute: "2-digit", hour12: false })} `, place);
  own.hidden = false;
}

for (const clock of document.querySelectorAll(".countdown")) {
  const ahead = Number(clock.dataset.now) - Date.now(); // how wrong this machine's clock is
  const words = language === "zh" ? ["天", "小时", "分钟", "秒"] : [" d ", " h ", " min ", " s"];
  const tick = () => {
    const left = Math.max(0, Math.floor((Number(clock.dataset.until) - Date.now() - ahead) / 1000));
    const parts = [Math.floor(left / 86400), Math.floor(left / 3600) % 24, Math.floor(left / 60) % 60, left % 60];
    const from = parts.findIndex((part) => part > 0);
    clock.textContent = parts.map((part, at) => (at < from ? "" : part + words[at])).join("") || `0${words[3]}`;
    if (left > 0) {
      setTimeout(tick, 1000);
    } else if ("reload" in clock.dataset) {
      setTimeout(() => location.reload(), 1000 + Math.random() * 4000); // not everybody in the same second
    }
  };
  tick();
}

const { poll, state } = document.body.dataset;
if (poll) {
  const ask = async () => {
    try {
      const reply = await fetch(poll, { cache: "no-store" });
      if (reply.ok && (await reply.json()).state !== state) {
        location.reload();
        return;
      }
    } catch {
      // away for a moment: asked again
    }
    setTimeout(ask, 3000 + Math.random() * 1000);
  };
  setTimeout(ask, 3000);
}

const go = document.querySelector("form[data-go]");
const seen = `entered ${location.pathname}`;
if (go && !sessionStorage.getItem(seen)) { // once: whoever comes back here has the button
  sessionStorage.setItem(seen, "1");
  go.requestSubmit();
}
