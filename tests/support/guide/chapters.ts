import { type Document, withoutFences } from "../documents.ts";
import { fences, steps } from "./steps.ts";

/** The chapters: file name without its ending, and title. */
export const CHAPTERS: readonly (readonly [name: string, title: string])[] = [
  ["01-introduction", "1. Introduction"],
  ["02-streaming-apis", "2. Designing a streaming API"],
  ["03-decoding-audio", "3. Decoding audio"],
  ["04-the-model", "4. The model"],
  ["05-the-server", "5. The server"],
  ["06-metrics", "6. Metrics for streaming"],
  ["07-tracing", "7. Tracing over WebSockets"],
  ["08-batching-and-scheduling", "8. Batching and scheduling"],
  ["09-testing", "9. Testing streaming audio"],
  ["10-transports-and-dialects", "10. Transports and dialects"],
  ["11-voice-activity", "11. Voice activity and endpointing"],
];

const WORDS = { from: 1_500, to: 3_000 };
const CASES = 3;

/** Words of prose: without fences, tables, comments, and the targets of links. */
export function proseWords(markdown: string): number {
  const prose = withoutFences(markdown)
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/^\|.*$/gm, "")
    .replace(/\]\([^)]*\)/g, "]");
  return prose.split(/\s+/).filter((word) => /[\p{Letter}\p{Number}]/u.test(word)).length;
}

/** What a chapter lacks of the form that all have. */
export function lacks({ path, text }: Document): string[] {
  const name = /([^/]+)\.md$/.exec(path)?.[1];
  const index = CHAPTERS.findIndex(([known]) => known === name);
  const sections = [...withoutFences(text).matchAll(/^## (.+)$/gm)].map(([, title = ""]) => title);
  const words = proseWords(text);
  const figures = [...text.matchAll(/^!\[[^\]]+\]\(figures\/([\w-]+)\.svg\)\n\n([\s\S]*?)\n\n/gm)];
  const diagrams = fences(text).filter(({ info }) => info === "mermaid").length;
  const cases = [...text.matchAll(/\[([\w.-]+\/[\w.-]+)#(\d+)\]\((\S+)\)/g)];
  const found: [boolean, string][] = [
    [text.startsWith(`# ${CHAPTERS[index]?.[1]}\n`), "its title"],
    [/^You need: /m.test(text), "the line `You need: …`"],
    [words >= WORDS.from && words <= WORDS.to, `${WORDS.from} to ${WORDS.to} words: it has ${words}`],
    [figures.length + diagrams > 0, "a picture"],
    [sections.some((title) => title.startsWith("Experiment: ")), "an experiment"],
    [steps(text).some(({ kind }) => kind === "output"), "what an experiment prints"],
    [
      ["What goes wrong in practice", "Exercises", "Further reading"].every((title) => sections.includes(title)),
      "its last sections",
    ],
    [new Set(cases.map(([all]) => all)).size >= CASES, `${CASES} public cases`],
    [text.trimEnd().split("\n").slice(-3).join(" ").includes(links(index)), `its links: ${links(index)}`],
    ...cases.map(([all, repository, number, target = ""]): [boolean, string] => [
      new RegExp(`^https://github\\.com/${repository}/(?:issues|pull|discussions)/${number}(?:#|$)`).test(target),
      `a link that fits its case: ${all}`,
    ]),
    ...figures.map(([, figure, caption = ""]): [boolean, string] => [
      caption.startsWith("_Figure ") &&
        caption.replace(/\s+/g, " ").includes(`\`bun run guide:plots ${figure}\``) &&
        caption.includes(`(figures/${figure}.json)`),
      `a caption of figure ${figure} with its command and data`,
    ]),
  ];
  return found.filter(([has]) => !has).map(([, what]) => `${path} lacks ${what}`);
}

/** The last line of a chapter. */
function links(index: number): string {
  const link = (word: string, at: number): string[] => {
    const chapter = CHAPTERS[at];
    return chapter === undefined ? [] : [`[${word}: ${chapter[1]}](${chapter[0]}.md)`];
  };
  return [...link("Previous", index - 1), "[Contents](README.md)", ...link("Next", index + 1)].join(" · ");
}
