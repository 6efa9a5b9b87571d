'use strict';

// An MQTT.js client as the tests see it: connect, subscribe, publish, and wait for what comes.
//
// Nothing here sleeps: a wait ends with the thing itself, or fails after a deadline. TLS is trusted through
// NODE_EXTRA_CA_CERTS.

const assert = require('node:assert');

const HOST = `${process.env.TIDEGATE_ORG}.messaging.${process.env.TIDEGATE_DOMAIN}`;
const DEADLINE_MS = 10_000;

const DOORS = {
  TCP: `mqtt://${HOST}:1883`,
  TLS: `mqtts://${HOST}:8883`,
  WebSocket: `ws://${HOST}:8080/mqtt`,
  'WebSocket over TLS': `wss://${HOST}/mqtt`,
};

function login(user, token) {
  return { username: process.env[user], password: process.env[token] };
}

const API_KEY = login('TIDEGATE_API_KEY', 'TIDEGATE_API_TOKEN');
const DEVICE = login('TIDEGATE_DEVICE', 'TIDEGATE_DEVICE_TOKEN');
// May subscribe to `open/#` and to nothing else.
const LIMITED_KEY = login('TIDEGATE_LIMITED_KEY', 'TIDEGATE_LIMITED_TOKEN');

/** Fails with `what` when the promise has not settled in time. */
function inTime(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing in ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Calls `start(callback)` and waits for the callback. */
function answered(what, start) {
  return inTime(what, new Promise((resolve, reject) => {
    start((error, answer) => (error ? reject(error) : resolve(answer)));
  }));
}

/** A message as it was sent or received. */
function post(topic, payload, qos, retain = false) {
  return { topic, payload: Buffer.from(payload), qos, retain };
}

/** MQTT.js tells of a message at QoS 2 when its exchange is complete, so others overtake it. */
function sorted(posts) {
  return [...posts].sort((a, b) => (a.topic < b.topic ? -1 : 1));
}

class Peer {
  /** Begins to connect; `connected` waits for the end of it. */
  constructor(library, url, options) {
    this.client = library.connect(url, { reconnectPeriod: 0, ...options });
    this.received = [];
    this.look = () => {};
    this.client.on('message', (topic, payload, { qos, retain }) => {
      this.received.push(post(topic, payload, qos, retain));
      this.look();
    });
    this.expectConnack();
  }

  expectConnack() {
    this.connack = new Promise((resolve, reject) => {
      this.client.once('connect', resolve);
      this.client.once('error', reject);
      this.client.once('close', () => reject(new Error('closed without a CONNACK')));
    });
    // It is looked at later, in `connected`.
    this.connack.catch(() => {});
  }

  /** Resolves with whether the session was present; rejects with the client's error, which has the `code`. */
  async connected() {
    const { sessionPresent } = await inTime('CONNACK', this.connack);
    return sessionPresent;
  }

  /** Connects again; resolves with whether the session was present. */
  reconnect() {
    this.expectConnack();
    this.client.reconnect();
    return this.connected();
  }

  /** Subscribes; resolves with the code that the server has answered with. */
  async subscribe(filter, qos) {
    const answer = inTime('SUBACK', new Promise((resolve, reject) => {
      this.client.subscribe(filter, { qos }, (error, granted) => {
        // Version 5 of the library makes an error of a refusal, version 4 does not.
        if (!error) resolve(granted.map((it) => it.qos));
        else if (error.packet) resolve(error.packet.granted);
        else reject(error);
      });
    }));
    const codes = await answer;
    assert.strictEqual(codes.length, 1);
    return codes[0];
  }

  unsubscribe(filter) {
    return answered('UNSUBACK', (done) => this.client.unsubscribe(filter, done));
  }

  /** Publishes, and waits until it is sent (QoS 0) or acknowledged to the end (QoS 1 and 2). */
  publish({ topic, payload, qos, retain }) {
    return answered('acknowledgement', (done) => this.client.publish(topic, payload, { qos, retain }, done));
  }

  /** Resolves with the next messages, sorted. */
  async messages(count) {
    const enough = new Promise((resolve) => {
      this.look = () => this.received.length >= count && resolve();
      this.look();
    });
    await inTime(`${count} messages`, enough).catch((error) => {
      throw new Error(`${error.message}; received: ${JSON.stringify(this.received)}`);
    });
    return sorted(this.received.splice(0, count));
  }

  /** Disconnects in peace. */
  leave() {
    return answered('the end', (done) => this.client.end(false, {}, done));
  }

  /** Drops the connection without a word. */
  async close() {
    if (this.client.disconnecting) return;
    await answered('the end', (done) => this.client.end(true, {}, done));
  }
}

module.exports = { API_KEY, DEVICE, DOORS, LIMITED_KEY, Peer, post };
