// Makes a page of the site work that a browser has opened from a disk, where it loads no modules: its links lead to
// files, groups of the sidebar unfold, and diagrams are drawn. Search, menus and the switch of colours need the server.
{
  const { root } = document.currentScript.dataset;
  const start = () => {
    document.documentElement.classList.add("disk");
    for (const link of document.querySelectorAll('a[href^="/"]')) {
      const [path, anchor] = link.getAttribute("href").slice(1).split("#");
      const file = path === "" || path.endsWith("/") ? `${path}index.html` : path;
      link.setAttribute("href", anchor === undefined ? root + file : `${root}${file}#${anchor}`);
    }
    for (const caret of document.querySelectorAll(".VPSidebarItem .caret")) {
      caret.addEventListener("click", (event) => {
        event.preventDefault();
        caret.closest(".VPSidebarItem").classList.toggle("collapsed");
      });
    }
    const diagrams = document.querySelectorAll(".diagram");
    if (diagrams.length === 0) return;
    const script = document.createElement("script");
    script.src = `${root}diagrams.js`;
    script.addEventListener("load", () => {
      const isDark = document.documentElement.classList.contains("dark");
      for (const diagram of diagrams) void globalThis.drawDiagram(diagram, isDark);
    });
    document.head.append(script);
  };
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
}
