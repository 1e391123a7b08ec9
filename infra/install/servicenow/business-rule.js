/*
 * Tells Syncline that a record was inserted, updated or deleted.
 *
 * One text for two places: the script of the async business rules, and of the script action for the event
 * "syncline.webhook.retry", which repeats what could not be delivered. ECMAScript 5, for Rhino.
 *
 * Sends the body and the header x-servicenow-signature (hexadecimal HMAC-SHA256 of the body) that the function
 * servicenow-webhook expects. An async rule runs after the transaction: nobody waits for it, and it never throws.
 */
// oxfmt-ignore
;(function synclineWebhook(record, queued) {
  var PREFIX = 'syncline.webhook.';
  var RETRY_EVENT = PREFIX + 'retry';
  var RETRY_MINUTES = [1, 5, 15, 60];
  var TIMEOUT_MS = 10000;
  var EVENT_WORDS = { insert: 'created', update: 'updated', 'delete': 'deleted' };
  // Of these the message carries the ones that the table has; add your own columns here.
  var FIELDS = [
    'sys_id', 'number', 'state', 'priority', 'impact', 'urgency', 'short_description', 'description', 'category',
    'subcategory', 'assigned_to', 'assignment_group', 'caller_id', 'opened_by', 'opened_at', 'resolved_at', 'closed_at',
    'close_code', 'active', 'approval', 'approver', 'sysapproval', 'document_id', 'source_table', 'correlation_id',
    'sys_created_on', 'sys_created_by', 'sys_updated_on', 'sys_updated_by', 'sys_mod_count'
  ];

  try {
    run();
  } catch (error) {
    gs.error('Syncline webhook failed: ' + error);
  }

  function run() {
    var url = gs.getProperty(PREFIX + 'url', '');
    var secret = gs.getProperty(PREFIX + 'secret', '');
    if (!url || !secret) {
      gs.error('Syncline webhook: set the properties ' + PREFIX + 'url and ' + PREFIX + 'secret');
      return;
    }
    var attempt = queued ? parseInt(queued.parm2, 10) : 1;
    var change = queued ? JSON.parse(String(queued.parm1)) : firstSight();
    if (queued && change.operation !== 'delete') {
      // State travels, not events: a repeated attempt tells what the record is now.
      if (!record || !record.isValidRecord()) return;
      change.record = recordOf(change.table);
    }
    if (!isDelivered(change, String(url), String(secret))) retryLater(change, attempt);
  }

  function firstSight() {
    var tableName = String(record.getTableName());
    var operation = record.operation && record.operation();
    if (!operation) operation = text(record.getValue('sys_mod_count')) === '0' ? 'insert' : 'update';
    return {
      table: tableName,
      operation: String(operation),
      record: recordOf(tableName),
      user: { sys_id: String(gs.getUserID()), name: String(gs.getUserDisplayName()) }
    };
  }

  function recordOf(table) {
    var values = {};
    for (var i = 0; i < FIELDS.length; i++) {
      if (record.isValidField(FIELDS[i])) values[FIELDS[i]] = text(record.getValue(FIELDS[i]));
    }
    if (table === 'sysapproval_approver') {
      // An approval has neither: it goes out with the number of what is to be approved, assigned to who is asked.
      values.number = text(record.getDisplayValue('sysapproval'));
      values.assigned_to = values.approver;
    }
    return values;
  }

  function isDelivered(change, url, secret) {
    var now = new Date();
    var timestamp = String(Math.floor(now.getTime() / 1000));
    var eventId = idOf(change, secret);
    var body = toAscii(JSON.stringify({
      event_type: change.table + '.' + EVENT_WORDS[change.operation],
      table: change.table,
      operation: change.operation,
      record: change.record,
      user: change.user,
      timestamp: now.toISOString(),
      event_id: eventId
    }));
    var request = new sn_ws.RESTMessageV2();
    request.setEndpoint(url);
    request.setHttpMethod('POST');
    request.setHttpTimeout(TIMEOUT_MS);
    request.setRequestHeader('Content-Type', 'application/json');
    request.setRequestHeader('x-servicenow-signature', toHex(mac(secret, body)));
    request.setRequestHeader('x-snow-timestamp', timestamp);
    request.setRequestHeader('x-snow-event-id', eventId);
    request.setRequestHeader('x-snow-signature', 'sha256=' + mac(secret, timestamp + '.' + eventId + '.' + body));
    var functionKey = gs.getProperty(PREFIX + 'function_key', '');
    if (functionKey) request.setRequestHeader('x-functions-key', String(functionKey));
    request.setRequestBody(body);
    try {
      var status = parseInt(request.execute().getStatusCode(), 10);
      if (status >= 200 && status < 300) return true;
      gs.warn('Syncline webhook: ' + change.table + ' ' + eventId + ' was answered ' + status);
    } catch (error) {
      gs.warn('Syncline webhook: ' + change.table + ' ' + eventId + ' could not be sent: ' + error);
    }
    return false;
  }

  // The same in every attempt to tell the same state, another for another state, also where nothing counted the change.
  function idOf(change, secret) {
    var id = change.record.sys_id + ':' + text(change.record.sys_mod_count) + ':' + change.operation;
    // Of a deletion a later attempt knows less than the first; a record is deleted once.
    return change.operation === 'delete' ? id : id + ':' + toHex(mac(secret, toAscii(JSON.stringify(change.record)))).substring(0, 16);
  }

  function retryLater(change, attempt) {
    var minutes = RETRY_MINUTES[attempt - 1];
    if (!minutes) {
      gs.error('Syncline webhook: gave up on ' + change.table + ' ' + change.record.sys_id + '; the next pull finds it');
      return;
    }
    var due = new GlideDateTime();
    due.addSeconds(minutes * 60);
    gs.eventQueueScheduled(RETRY_EVENT, record, JSON.stringify(remembered(change)), String(attempt + 1), due);
  }

  // An event parameter holds 255 characters. A deleted record cannot be read again, so who and which go along.
  function remembered(change) {
    var kept = {
      table: change.table,
      operation: change.operation,
      user: { sys_id: change.user.sys_id, name: change.user.name.substring(0, 30) }
    };
    if (change.operation === 'delete') {
      kept.record = {
        sys_id: change.record.sys_id,
        number: text(change.record.number).substring(0, 20),
        sys_mod_count: text(change.record.sys_mod_count)
      };
    }
    return kept;
  }

  // The key goes in as base64, the code comes out as base64.
  function mac(secret, data) {
    var encryption =
      typeof CertificateEncryption === 'undefined' ? new GlideCertificateEncryption() : new CertificateEncryption();
    return String(encryption.generateMac(base64(secret), 'HmacSHA256', data));
  }

  function base64(value) {
    return String(typeof GlideStringUtil === 'undefined' ? gs.base64Encode(value) : GlideStringUtil.base64Encode(value));
  }

  function toHex(encoded) {
    var alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    var hex = '';
    var bits = 0;
    var count = 0;
    for (var i = 0; i < encoded.length && encoded.charAt(i) !== '='; i++) {
      bits = (bits << 6) | alphabet.indexOf(encoded.charAt(i));
      count += 6;
      if (count >= 8) {
        count -= 8;
        hex += ('0' + ((bits >> count) & 255).toString(16)).slice(-2);
      }
      bits = bits & 255;
    }
    return hex;
  }

  // ASCII only, so that no charset on the way can change the signed bytes.
  function toAscii(json) {
    return json.replace(/[\u007f-\uffff]/g, function (character) {
      return '\\u' + ('0000' + character.charCodeAt(0).toString(16)).slice(-4);
    });
  }

  function text(value) {
    return value === null || value === undefined ? '' : String(value);
  }
})(
  current,
  typeof event !== 'undefined' && event && String(event.name).indexOf('syncline.webhook.retry') >= 0 ? event : null
)
