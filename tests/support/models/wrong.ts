export default { name: "wrong", load: 5, maxBatch: 0 };
