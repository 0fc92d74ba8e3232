/** Shorter passwords are guessed by machines. */
export const MIN_PASSWORD_LENGTH = 8;
