'use strict';

// MQTT.js as a client of plain MQTT: versions 5 and 4 of the library, MQTT 5.0 and 3.1.1, over TCP, TLS, WebSocket and
// WebSocket over TLS.

const assert = require('node:assert');
const { describe, test } = require('node:test');
const { API_KEY, DEVICE, DOORS, LIMITED_KEY, Peer, post } = require('./peer');

const LIBRARIES = { 'MQTT.js 5': require('mqtt'), 'MQTT.js 4': require('mqtt4') };

const DURABLE = { clean: false, properties: { sessionExpiryInterval: 3600 } };

/** All tests of one library, one version of MQTT and one way into the server. */
function tests(library, protocolVersion, url, own) {
  function peer(t, name, login, options = {}) {
    const durable = options.clean === false && protocolVersion === 4 ? { clean: false } : options;
    const made = new Peer(library, url, { protocolVersion, clientId: `${name}-${own}`, ...login, ...durable });
    t.after(() => made.close());
    return made;
  }

  async function connected(t, name, login, options) {
    const made = peer(t, name, login, options);
    assert.strictEqual(await made.connected(), false, 'a session that nobody has left');
    return made;
  }

  test('messages arrive as they were sent', async (t) => {
    const reader = await connected(t, 'reader', API_KEY);
    assert.strictEqual(await reader.subscribe(`${own}/every/#`, 2), 2);
    assert.strictEqual(await reader.subscribe(`${own}/low/#`, 0), 0);
    const writer = await connected(t, 'writer', DEVICE);
    const posts = [
      post(`${own}/every/0`, 'zero', 0),
      post(`${own}/every/1`, 'one', 1),
      post(`${own}/every/2`, 'two', 2),
      post(`${own}/every/empty`, '', 1),
      post(`${own}/every/large`, 'x'.repeat(100_000), 2),
    ];
    for (const it of posts) await writer.publish(it);
    assert.deepStrictEqual(await reader.messages(posts.length), posts);
    await reader.unsubscribe(`${own}/every/#`);
    await writer.publish(post(`${own}/every/more`, '', 1));
    await writer.publish(post(`${own}/low/end`, 'end', 2));
    assert.deepStrictEqual(await reader.messages(1), [post(`${own}/low/end`, 'end', 0)]);
  });

  test('retained messages are kept until they are removed', async (t) => {
    const topic = (end) => `${own}/retained/${end}`;
    const writer = await connected(t, 'writer', DEVICE);
    const kept = post(topic('kept'), 'kept', 1, true);
    const gone = post(topic('gone'), 'gone', 1, true);
    for (const it of [kept, gone, { ...gone, payload: '' }]) await writer.publish(it);
    const reader = await connected(t, 'reader', API_KEY);
    assert.strictEqual(await reader.subscribe(topic('#'), 1), 1);
    const live = post(topic('live'), 'live', 0);
    await writer.publish(live);
    assert.deepStrictEqual(await reader.messages(2), [kept, live]);
  });

  test('a will is published for the lost and for nobody else', async (t) => {
    const reader = await connected(t, 'reader', API_KEY);
    assert.strictEqual(await reader.subscribe(`${own}/will/#`, 1), 1);
    const will = post(`${own}/will/gone`, 'gone', 1, true);
    const mortal = await connected(t, 'mortal', DEVICE, { will });
    // Who comes again with the same client id comes after everything that the farewell has caused.
    await mortal.leave();
    await mortal.reconnect();
    const end = post(`${own}/will/end`, 'end', 1);
    await mortal.publish(end);
    assert.deepStrictEqual(await reader.messages(1), [end]);
    await mortal.close();
    assert.deepStrictEqual(await reader.messages(1), [{ ...will, retain: false }]);
    const late = await connected(t, 'late', API_KEY);
    assert.strictEqual(await late.subscribe(will.topic, 1), 1);
    assert.deepStrictEqual(await late.messages(1), [will]);
  });

  test('a session is there again with what came meanwhile', async (t) => {
    const topic = (end) => `${own}/session/${end}`;
    const writer = await connected(t, 'writer', API_KEY);
    const reader = await connected(t, 'durable', DEVICE, DURABLE);
    assert.strictEqual(await reader.subscribe(topic('#'), 2), 2);

    await reader.leave();
    await writer.publish(post(topic('not-kept'), '', 0));
    let meanwhile = [post(topic('1'), 'one', 1), post(topic('2'), 'two', 2)];
    for (const it of meanwhile) await writer.publish(it);
    assert.strictEqual(await reader.reconnect(), true);
    assert.deepStrictEqual(await reader.messages(2), meanwhile);

    await reader.close();
    meanwhile = [post(topic('3'), 'three', 2), post(topic('4'), 'four', 1)];
    for (const it of meanwhile) await writer.publish(it);
    assert.strictEqual(await reader.reconnect(), true);
    assert.deepStrictEqual(await reader.messages(2), meanwhile);

    // What was acknowledged is not sent again, to another client of the same identity and id either.
    await reader.leave();
    const end = post(topic('end'), 'end', 1);
    await writer.publish(end);
    const again = peer(t, 'durable', DEVICE, DURABLE);
    assert.strictEqual(await again.connected(), true);
    assert.deepStrictEqual(await again.messages(1), [end]);
  });

  test('a login that is refused says why', async (t) => {
    const [badLogin, notAuthorized] = protocolVersion === 5 ? [0x86, 0x87] : [4, 5];
    for (const [login, code] of [
      [{ ...API_KEY, password: 'wrong' }, badLogin],
      [{ ...API_KEY, username: 'a-abc123-nobody' }, badLogin],
      [{ ...DEVICE, password: 'wrong' }, badLogin],
      [{}, notAuthorized],
    ]) {
      await assert.rejects(peer(t, 'refused', login).connected(), { code });
    }
  });

  test('a filter without the right is refused and the others hold', async (t) => {
    const limited = await connected(t, 'limited', LIMITED_KEY);
    assert.strictEqual(await limited.subscribe(`open/${own}`, 1), 1);
    assert.strictEqual(await limited.subscribe(`closed/${own}`, 1), 0x80);
    const writer = await connected(t, 'writer', API_KEY);
    await writer.publish(post(`closed/${own}`, 'closed', 1));
    await writer.publish(post(`open/${own}`, 'open', 1));
    assert.deepStrictEqual(await limited.messages(1), [post(`open/${own}`, 'open', 1)]);
  });
}

for (const [name, library] of Object.entries(LIBRARIES)) {
  for (const [version, protocolVersion] of [['3.1.1', 4], ['5.0', 5]]) {
    for (const [door, url] of Object.entries(DOORS)) {
      const title = `${name}, MQTT ${version} over ${door}`;
      describe(title, () => tests(library, protocolVersion, url, title.replace(/[^A-Za-z0-9]+/g, '-')));
    }
  }
}
