import { expect, test } from 'vitest'
import { SseParser } from './sse'

test('a message is read however its text is cut', () => {
  const text = 'event: object\r\nid: 7\r\ndata: {"a":1}\r\n\r\n'
  for (let cut = 0; cut <= text.length; cut++) {
    const parser = new SseParser()
    const messages = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]
    expect(messages).toEqual([{ event: 'object', id: '7', data: '{"a":1}' }])
  }
})

test('comments and empty messages are passed over', () => {
  expect(new SseParser().push(': keep-alive\n\nevent: x\n\n')).toEqual([])
})

test('several lines of data are one text', () => {
  expect(new SseParser().push('data: a\ndata:b\n\n')).toEqual([{ event: 'message', data: 'a\nb', id: undefined }])
})

test('an id belongs to its own message only', () => {
  const [, second] = new SseParser().push('id: 1\ndata: a\n\ndata: b\n\n')
  expect(second?.id).toBeUndefined()
})
