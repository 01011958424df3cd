/** The two classes of age-encryption that are used, so that a bundle holds little else; loaded when an age slot is made or opened. */
export { Decrypter, Encrypter, identityToRecipient } from 'age-encryption';
