'use strict';

// What the tests of the Node SDK share: clients for each kind of peer, and waiting for what they are sent.
//
// Nothing here sleeps: a test waits for an event with a deadline. TLS is trusted through NODE_EXTRA_CA_CERTS, as the
// SDK has no option for it.

const assert = require('node:assert');
const { ApplicationClient, ApplicationConfig, DeviceClient, DeviceConfig } = require('@wiotp/sdk');
// The package's top level forgets these two.
const { GatewayClient, GatewayConfig } = require('@wiotp/sdk/dist/gateway');

const ORG = process.env.TIDEGATE_ORG;
const GATEWAY_TYPE = 'mygateway';
const DEVICE_TYPE = 'mydevice';
const DEADLINE_MS = 10_000;

function options(port) {
  return { domain: process.env.TIDEGATE_DOMAIN, logLevel: 'silent', mqtt: { port } };
}

function application(appId, { port = 8883, shared = false } = {}) {
  const auth = { key: process.env.TIDEGATE_API_KEY, token: process.env.TIDEGATE_API_TOKEN };
  const config = new ApplicationConfig({ appId }, auth, options(port));
  config.options.mqtt.sharedSubscription = shared;
  return new ApplicationClient(config);
}

function device(deviceId, token, { port = 8883 } = {}) {
  const identity = { orgId: ORG, typeId: DEVICE_TYPE, deviceId };
  return new DeviceClient(new DeviceConfig(identity, { token }, options(port)));
}

function gateway(deviceId, token, { port = 8883 } = {}) {
  const identity = { orgId: ORG, typeId: GATEWAY_TYPE, deviceId };
  return new GatewayClient(new GatewayConfig(identity, { token }, options(port)));
}

/** Fails with `what` when the promise has not settled in time. */
function inTime(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing in ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Ends a client's connection. A client that is ending already never calls a second callback. */
function ended(client) {
  return new Promise((resolve) => (client.mqtt.disconnecting ? resolve() : client.mqtt.end(true, resolve)));
}

/** Connects a client, and disconnects it when the test `t` ends. */
async function connected(t, client) {
  const done = new Promise((resolve, reject) => {
    client.once('connect', resolve);
    client.on('error', reject);
  });
  client.connect();
  t.after(() => ended(client));
  await inTime('CONNACK', done);
  return client;
}

/** Calls `publish(callback)` and waits for the callback, which at QoS 1 and 2 is the acknowledgement. */
function acknowledged(publish) {
  return inTime('acknowledgement', new Promise((resolve, reject) => {
    publish((error) => (error ? reject(error) : resolve()));
  }));
}

/** Calls `subscribe(callback)` and returns what the server granted. */
function subscribed(subscribe) {
  return inTime('SUBACK', new Promise((resolve, reject) => {
    subscribe((error, granted) => (error ? reject(error) : resolve(granted)));
  }));
}

/** Collects an event's arguments; `wait` resolves with the first `count` that are wanted. */
class Inbox {
  constructor(emitter, event) {
    this.event = event;
    this.items = [];
    this.waiting = new Set();
    emitter.on(event, (...item) => {
      this.items.push(item);
      for (const look of this.waiting) look();
    });
  }

  wait(wanted, count = 1) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const items = this.items.filter((item) => wanted(...item)).slice(0, count);
        if (items.length === count) resolve(count === 1 ? items[0] : items);
      };
      this.waiting.add(look);
      look();
    });
    return inTime(`${this.event} × ${count}`, found).finally(() => this.waiting.delete(look));
  }
}

function json(payload) {
  return JSON.parse(payload.toString());
}

async function ensureTypes() {
  const { registry } = application('node-types');
  for (const [type, classId] of [[GATEWAY_TYPE, 'Gateway'], [DEVICE_TYPE, 'Device']]) {
    await registry.getDeviceType(type).catch((error) => {
      assert.strictEqual(error.response && error.response.status, 404, String(error));
      return registry.registerDeviceType(type, `made by the tests`, undefined, undefined, classId);
    });
  }
}

/** Registers through the REST API and returns the generated token. */
async function register(type, id) {
  const made = await application('node-registrar').registry.registerDevice(type, id);
  assert.strictEqual(made.deviceId, id);
  assert.ok(made.authToken);
  return made.authToken;
}

module.exports = {
  DEVICE_TYPE, GATEWAY_TYPE, Inbox, ORG, acknowledged, application, connected, device, ended, ensureTypes, gateway,
  inTime, json, register, subscribed,
};
