/**
 * Words that passwords are made of when people make them up, and that stand where a value is still to be filled in: those that lead every
 * published list of leaked passwords, and the defaults of servers. Small letters; at least four.
 */
const text =
  'password passwort passw0rd passwd pass passphrase secret geheim letmein welcome admin administrator root ' +
  'toor user username guest login master manager test testing tester demo temp temporary dummy sample ' +
  'example foobar hello changeme change default placeholder replace todo none null undefined true false ' +
  'insert your here value token apikey secretkey access private public xxxx postgres postgresql mysql ' +
  'mariadb mongo mongodb redis oracle rabbitmq vagrant docker ubuntu debian server system service database ' +
  'backup support prod production staging develop development local localhost company office qwerty qwertz ' +
  'azerty asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm qazwsx qwer 1q2w3e 1q2w3e4r 1qaz2wsx q1w2e3r4 123qwe ' +
  'qwe123 abc123 aa123456 1234 123456 12345678 123456789 1234567890 654321 987654 111111 000000 121212 ' +
  '123123 112233 iloveyou love lovely dragon monkey football baseball basketball soccer hockey sunshine ' +
  'princess shadow superman batman spiderman pokemon starwars jordan michael jennifer jessica ashley daniel ' +
  'thomas andrew charlie robert george anthony matthew joshua hunter killer mustang harley ranger buster ' +
  'tigger ginger pepper cookie chocolate banana cheese flower summer winter spring autumn freedom whatever ' +
  'trustno computer internet google facebook samsung windows liverpool chelsea january february march april ' +
  'june july august september october november december monday tuesday wednesday thursday friday saturday ' +
  'sunday purple orange yellow correct horse battery staple ninja azure matrix phoenix diamond silver ' +
  'golden super';

export const commonWords: readonly string[] = text.split(' ');

/** Those of them that stand where a value is still to come: they make none stronger. */
export const emptyWords: ReadonlySet<string> = new Set([
  'test',
  'dummy',
  'example',
  'todo',
  'xxxx',
  'placeholder',
]);

/** Shorter ones, which count where they stand alone: in the middle of something they are chance. */
export const shortWords: readonly string[] = (
  'my me in is it to of on at by db id or the and for key jwt app api dev env ssh aws sql web foo bar baz new old abc xyz ' +
  'not our use set get pwd'
).split(' ');

/** What is said in place of a value, whatever else is there; `~` is a separator or nothing. */
export const placeholders: readonly string[] = [
  'change~me',
  'change~this',
  'change~it',
  'replace~me',
  'replace~this',
  'replace~with',
  'placeholder',
  'insert~your',
  'put~your',
  'enter~your',
];
