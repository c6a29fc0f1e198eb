// Every command that has a page of its own, by its name; a document of any other is shown by its
// keys alone.
import {deploy} from './deploy.js';
import {devices} from './device.js';
import {model} from './model.js';
import {power} from './power.js';
import {profile} from './profile.js';
import {split} from './split.js';
import {verify} from './verify.js';

export const commands = new Map(
  [...model, profile, verify, ...devices, ...power, ...split, deploy].map((command) => [
    command.name,
    command,
  ]),
);
