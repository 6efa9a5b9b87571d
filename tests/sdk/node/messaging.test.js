'use strict';

// `@wiotp/sdk` 0.7.8 as device, gateway and application, over TLS: events up, commands down.

const assert = require('node:assert');
const { before, test } = require('node:test');
const plant = require('./plant');
const {
  DEVICE_TYPE, GATEWAY_TYPE, Inbox, ORG, acknowledged, application, connected, json, register, subscribed,
} = plant;

before(plant.ensureTypes);

async function listening(t, appId, type) {
  const app = await connected(t, application(appId));
  const events = new Inbox(app, 'deviceEvent');
  await subscribed((done) => app.subscribeToEvents(type, undefined, undefined, undefined, 1, done));
  return { app, events };
}

test('device: events reach the application', async (t) => {
  const { events } = await listening(t, 'node-app-device', DEVICE_TYPE);
  const token = await register(DEVICE_TYPE, 'node-device-events');
  const device = await connected(t, plant.device('node-device-events', token));
  for (const qos of [0, 1, 2]) {
    await acknowledged((done) => device.publishEvent('reading', 'json', { qos }, qos, done));
  }
  const received = await events.wait((type, id) => id === 'node-device-events', 3);
  assert.deepStrictEqual(received.map((it) => json(it[4]).qos).sort(), [0, 1, 2]);
  for (const [type, , event, format] of received) {
    assert.deepStrictEqual([type, event, format], [DEVICE_TYPE, 'reading', 'json']);
  }
});

test('device: commands from the application', async (t) => {
  const token = await register(DEVICE_TYPE, 'node-device-commands');
  const device = plant.device('node-device-commands', token);
  const commands = new Inbox(device, 'command');
  await connected(t, device);
  // The SDK subscribes by itself and tells nobody; a second SUBSCRIBE is answered after the first.
  await subscribed((done) => device._subscribe('iot-2/cmd/+/fmt/+', 1, done));
  const app = await connected(t, application('node-app-commands'));
  for (const n of [1, 2, 3]) {
    await acknowledged((done) => app.publishCommand(DEVICE_TYPE, 'node-device-commands', 'set', 'json', { n }, 1, done));
  }
  const received = await commands.wait(() => true, 3);
  assert.deepStrictEqual(received.map(([name, format, payload]) => [name, format, json(payload).n]), [
    ['set', 'json', 1], ['set', 'json', 2], ['set', 'json', 3],
  ]);
});

test('gateway: events for itself and for a child that nobody registered', async (t) => {
  const { app, events } = await listening(t, 'node-app-gateway');
  const token = await register(GATEWAY_TYPE, 'node-gateway-events');
  const gateway = await connected(t, plant.gateway('node-gateway-events', token));
  await acknowledged((done) => gateway.publishEvent('status', 'json', { up: true }, 1, done));
  // `publishDeviceEvent` throws in this version because it misspells a name; this is what it calls.
  for (let n = 0; n < 10; n += 1) {
    await acknowledged((done) => gateway._publishEvent(DEVICE_TYPE, 'node-child', 'reading', 'json', { n }, 1, done));
  }
  const own = await events.wait((type, id) => id === 'node-gateway-events');
  assert.deepStrictEqual([own[0], own[2], json(own[4])], [GATEWAY_TYPE, 'status', { up: true }]);
  const children = await events.wait((type, id) => id === 'node-child', 10);
  assert.deepStrictEqual(children.map((it) => json(it[4]).n), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

  const record = await app.registry.getDevice(DEVICE_TYPE, 'node-child');
  assert.deepStrictEqual([record.gatewayTypeId, record.gatewayId], [GATEWAY_TYPE, 'node-gateway-events']);
});

test('gateway: commands for itself and for its children', async (t) => {
  const token = await register(GATEWAY_TYPE, 'node-gateway-commands');
  await register(DEVICE_TYPE, 'node-child-commands');
  const gateway = await connected(t, plant.gateway('node-gateway-commands', token));
  const commands = new Inbox(gateway, 'command');
  await subscribed((done) => gateway.subscribeToCommands(undefined, undefined, 1, done));
  // `subscribeToDeviceCommands` throws in this version for the same reason; this is what it calls.
  await subscribed((done) => gateway._subscribe(`iot-2/type/${DEVICE_TYPE}/id/+/cmd/+/fmt/+`, 1, done));

  const app = await connected(t, application('node-app-gateway-commands'));
  const command = (type, id, n) => acknowledged((done) => app.publishCommand(type, id, 'set', 'json', { n }, 1, done));
  await command(GATEWAY_TYPE, 'node-gateway-commands', 1);
  await command(DEVICE_TYPE, 'node-child-commands', 2);
  for (const [type, id, n] of [[GATEWAY_TYPE, 'node-gateway-commands', 1], [DEVICE_TYPE, 'node-child-commands', 2]]) {
    const received = await commands.wait((gotType, gotId) => gotId === id);
    assert.deepStrictEqual([received[0], received[2], json(received[4])], [type, 'set', { n }]);
  }
});

test('application: sees commands, and who comes and goes', async (t) => {
  const app = await connected(t, application('node-app-status'));
  const status = new Inbox(app, 'deviceStatus');
  const commands = new Inbox(app, 'deviceCommand');
  app.subscribeToDeviceStatus(DEVICE_TYPE, 'node-device-status');
  await subscribed((done) => app.subscribeToCommands(DEVICE_TYPE, undefined, undefined, undefined, 1, done));

  const token = await register(DEVICE_TYPE, 'node-device-status');
  const device = await connected(t, plant.device('node-device-status', token));
  const came = json((await status.wait((type, id, payload) => json(payload).Action === 'Connect'))[2]);
  assert.strictEqual(came.ClientID, `d:${ORG}:${DEVICE_TYPE}:node-device-status`);
  assert.deepStrictEqual([came.Port, came.Secure], [8883, true]);

  const other = await connected(t, application('node-app-other'));
  await acknowledged((done) => other.publishCommand(DEVICE_TYPE, 'node-device-status', 'set', 'json', {}, 1, done));
  assert.strictEqual((await commands.wait((type, id) => id === 'node-device-status'))[2], 'set');

  device.disconnect();
  await status.wait((type, id, payload) => json(payload).Action === 'Disconnect');
});

test('shared application: each event goes to one of the members', async (t) => {
  // Both members have the very same client id, and neither takes the other's place.
  const members = [];
  const received = [];
  for (let n = 0; n < 2; n += 1) {
    const member = await connected(t, application('node-app-shared', { shared: true }));
    const events = new Inbox(member, 'deviceEvent');
    await subscribed((done) => member.subscribeToEvents(DEVICE_TYPE, 'node-device-shared', undefined, undefined, 0, done));
    members.push(member);
    received.push(events);
  }
  const token = await register(DEVICE_TYPE, 'node-device-shared');
  const device = await connected(t, plant.device('node-device-shared', token));
  const { events: all } = await listening(t, 'node-app-unshared', DEVICE_TYPE);
  for (let n = 0; n < 20; n += 1) {
    await acknowledged((done) => device.publishEvent('reading', 'json', { n }, 1, done));
  }
  await all.wait((type, id) => id === 'node-device-shared', 20);
  // One more subscription round trip per member: what was on its way to it has arrived before the answer.
  for (const member of members) {
    await subscribed((done) => member.subscribeToEvents(DEVICE_TYPE, 'nobody', undefined, undefined, 0, done));
  }
  const numbers = received.flatMap((it) => it.items).map((it) => json(it[4]).n).sort((a, b) => a - b);
  assert.deepStrictEqual(numbers, Array.from({ length: 20 }, (_, n) => n));
  assert.ok(members.every((it) => it.isConnected()));
});

test('plain TCP works as well', async (t) => {
  const token = await register(DEVICE_TYPE, 'node-device-tcp');
  const device = await connected(t, plant.device('node-device-tcp', token, { port: 1883 }));
  await acknowledged((done) => device.publishEvent('reading', 'json', {}, 1, done));
});
