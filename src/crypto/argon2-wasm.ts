/** The one function of hash-wasm that is used, so that a bundle holds it alone; loaded when a passphrase comes. */
export { argon2id } from 'hash-wasm';
