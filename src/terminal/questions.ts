/** The two questions of the prompt library that are asked, so that a bundle holds them alone; loaded when somebody is asked. */
export { confirm, password } from '@inquirer/prompts';
