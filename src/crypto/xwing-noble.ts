/** The one KEM of @noble/post-quantum that is used, so that a bundle holds it alone; loaded when something is sealed to a public key. */
export { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';
