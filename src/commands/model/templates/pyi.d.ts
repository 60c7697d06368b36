declare module "*.pyi" {
  /** Text of the file, imported `with { type: "text" }`. */
  const text: string;
  export default text;
}
