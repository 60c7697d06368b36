/** The text of a program in Python: `import text from "./NAME.py" with { type: "text" }`. */
declare module "*.py" {
  const text: string;
  export default text;
}
