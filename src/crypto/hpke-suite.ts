/** What is used of the package hpke, so that a bundle holds it alone; loaded when something is sealed to or opened by a key pair. */
export { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_MLKEM768_X25519 } from 'hpke';
