"use strict";
(() => {
  const read = (id) => document.getElementById(id).textContent;
  const options = JSON.parse(read("options"));
  if (options.idleTimeLimit === null) delete options.idleTimeLimit;
  AsciinemaPlayer.create({ data: read("recording") }, document.getElementById("player"), {
    ...options,
    preload: true,
    poster: `npt:${options.startAt}`,
    controls: true,
    fit: "both",
    terminalFontFamily: "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace",
  });
})();
