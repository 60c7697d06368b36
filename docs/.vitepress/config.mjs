// The site of the documentation: the pages of this folder with a search. `bun run guide:site` builds and serves it.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";

const docs = fileURLToPath(new URL("..", import.meta.url));
const root = join(docs, "..");

/** Where files of the repository stand on the site that are no pages, such as sources. */
const FILES = "repository";
/** Files that browsers show as what they are; others are shown as text. */
const SHOWN = new Set([".html", ".json", ".svg", ".png", ".txt"]);

/** Languages of fences that the highlighter does not know. */
const PLAIN = new Set(["caddyfile", "haproxy"]);

/** Anchors of headings as code hosts make them, since links to them are written for both. */
function slugify(title) {
  const kept = title.toLowerCase().replaceAll(/[^\p{Letter}\p{Number} _-]/gu, "");
  return kept.replaceAll(" ", "-");
}

/** The page with files of its head and figures relative to it, and with what it needs when it is read from a disk. */
function readableFromDisk(html, page) {
  if (page === "404.html") return html;
  const top = "../".repeat(page.split("/").length - 1);
  const start = `s=document.createElement("script");s.src="${top}disk.js";s.dataset.root="${top}";document.head.append(s)`;
  return html
    .replaceAll(/(<link rel="(?:preload )?stylesheet"[^>]* href=")\//g, `$1${top}`)
    .replaceAll(/(<img src=")\//g, `$1${top}`)
    .replace("</head>", `<script>if(location.protocol==="file:"){const ${start}}</script></head>`);
}

/** Files and folders of the repository that pages link to, relative to the root. */
const linked = new Set();

/** Where a relative link of a page leads on the site. */
function rewritten(href, page) {
  const [file, anchor] = href.split("#");
  let target = posix.join("docs", posix.dirname(page), file).replace(/\/$/, "");
  if (existsSync(join(root, target, "README.md"))) target += "/README.md";
  if (/^docs\/.*\.md$/.test(target)) {
    const address = target.replace(/^docs\//, "").replace(/(^|\/)README\.md$/, "$1index.md");
    return { href: `/${address}${anchor === undefined ? "" : `#${anchor}`}`, isPage: true };
  }
  linked.add(target);
  return { href: `/${siteName(target)}`, isPage: false };
}

function siteName(path) {
  return `${FILES}/${path}${SHOWN.has(extname(path)) ? "" : ".txt"}`;
}

/** What stands above a fence that names a file: one that the reader saves, or the source that the lines are from. */
function fenceName(name) {
  if (name.startsWith("file=")) return `Save as <code v-pre>${name.slice("file=".length)}</code>`;
  linked.add(name);
  return `From <a href="/${siteName(name)}" target="_self"><code v-pre>${name}</code></a>`;
}

/** Title of a Markdown file. */
function titleOf(path) {
  return /^# (.+)$/m.exec(readFileSync(join(docs, path), "utf8"))?.[1]?.replaceAll("`", "") ?? path;
}

/** Links to the pages of a folder, its README left out. */
function pagesOf(folder) {
  return readdirSync(join(docs, folder))
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .sort()
    .map((name) => ({ text: titleOf(join(folder, name)), link: `/${posix.join(folder, name)}` }));
}

const group = (text, folder, more = {}) => ({ text, items: pagesOf(folder), ...more });
const folded = { collapsed: true };

export default {
  title: "Streamer",
  description: "A blocking audio model behind a bidirectional streaming API",
  lang: "en",
  // The same pages serve readers of the repository, where a folder's page is its README.
  rewrites: (page) => page.replace(/(^|\/)README\.md$/, "$1index.md"),
  // Servers of the reader's own; files, which `buildEnd` copies or misses with an error.
  ignoreDeadLinks: [/^http:\/\/localhost/, new RegExp(`^/${FILES}/`)],
  // A host of its own, nothing from others: no fonts, no scripts.
  head: [["link", { rel: "icon", href: "data:," }]],
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide/" },
      { text: "Reference", link: "/" },
    ],
    outline: "deep",
    search: { provider: "local" },
    sidebar: [
      { text: "Guide", link: "/guide/", items: pagesOf("guide") },
      group("Reference", ""),
      group("Dialects", "dialects", { link: "/dialects/", ...folded }),
      group("Decisions", "decisions", { link: "/decisions/", ...folded }),
    ],
  },
  transformHtml: (html, file) => readableFromDisk(html, relative(join(docs, ".vitepress", "dist"), file)),
  // Which chunks are large does not matter to a reader of a local site.
  vite: { build: { chunkSizeWarningLimit: 4000 } },
  markdown: {
    // Text for people is not a template.
    attrs: { disable: true },
    // Colours that stand out enough on the grey of code.
    theme: { light: "github-light-high-contrast", dark: "github-dark" },
    anchor: { slugify },
    toc: { slugify },
    config(markdown) {
      markdown.core.ruler.push("repository-links", ({ tokens, env }) => {
        for (const [index, { children }] of tokens.entries()) {
          if (children?.length !== 1 || children[0].type !== "image") continue;
          tokens[index - 1].attrSet("class", "figure");
          // It scrolls, so the keyboard must reach it.
          tokens[index - 1].attrSet("tabindex", "0");
        }
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          const href = token.type === "link_open" ? token.attrGet("href") : null;
          if (href === null || /^(?:[a-z]+:|#|\/)/.test(href)) continue;
          const link = rewritten(href, env.relativePath);
          token.attrSet("href", link.href);
          // Such a file is no page: the browser loads it, not the site's router.
          if (!link.isPage) token.attrSet("target", "_self");
        }
      });
      // Vue drops a line break between two elements, such as bold words and a link.
      markdown.renderer.rules.softbreak = () => " ";
      const fence = markdown.renderer.rules.fence;
      markdown.renderer.rules.fence = (tokens, index, ...rest) => {
        const token = tokens[index];
        // "ts src/file.ts": the second word names the file that the lines are from.
        const [language = "", ...words] = token.info.split(" ");
        if (language === "mermaid") return `<Diagram code="${markdown.utils.escapeHtml(token.content)}" />`;
        token.info = PLAIN.has(language) ? "text" : language;
        const label = words[0] === "output" ? "output" : language;
        const html = fence(tokens, index, ...rest).replace(/(<span class="lang">)[^<]*/, `$1${label}`);
        const name = words.find((word) => word.includes("/") || word.startsWith("file="));
        return name === undefined ? html : `<p class="fence-name">${fenceName(name)}</p>${html}`;
      };
    },
  },
  buildEnd({ outDir }) {
    copyFileSync(join(docs, ".vitepress", "disk.js"), join(outDir, "disk.js"));
    const programs = [join("node_modules", "mermaid", "dist", "mermaid.min.js"), join(".vitepress", "draw-diagram.js")];
    writeFileSync(
      join(outDir, "diagrams.js"),
      programs.map((path) => readFileSync(join(docs, path), "utf8")).join("\n"),
    );
    for (const path of linked) {
      const target = join(outDir, siteName(path));
      mkdirSync(dirname(target), { recursive: true });
      // Throws when a page links to what does not exist.
      if (statSync(join(root, path)).isDirectory()) {
        writeFileSync(target, `${readdirSync(join(root, path)).sort().join("\n")}\n`);
      } else copyFileSync(join(root, path), target);
    }
  },
};
