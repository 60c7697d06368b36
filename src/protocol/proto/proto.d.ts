/** Files of protobuf definitions are imported as text. */
declare module "*.proto" {
  const text: string;
  export default text;
}
