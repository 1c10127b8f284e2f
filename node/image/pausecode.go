package image

import "encoding/binary"

// Both programs are 72 bytes long, and the data stands behind them: the action at 72, the mask at 104.

func amd64Pause() []byte {
	return []byte{
		0xb8, 13, 0, 0, 0, //                 mov  eax, rt_sigaction
		0xbf, 17, 0, 0, 0, //                 mov  edi, SIGCHLD
		0x48, 0x8d, 0x35, 72 - 17, 0, 0, 0, // lea rsi, action
		0x31, 0xd2, //                        xor  edx, edx
		0x41, 0xba, 8, 0, 0, 0, //            mov  r10d, 8      ; size of a signal set
		0x0f, 0x05, //                        syscall
		0xb8, 14, 0, 0, 0, //                 mov  eax, rt_sigprocmask
		0x31, 0xff, //                        xor  edi, edi     ; SIG_BLOCK
		0x48, 0x8d, 0x35, 104 - 41, 0, 0, 0, // lea rsi, mask
		0x0f, 0x05, //                        syscall
		// wait:
		0xb8, 128, 0, 0, 0, //                mov  eax, rt_sigtimedwait
		0x48, 0x8d, 0x3d, 104 - 55, 0, 0, 0, // lea rdi, mask
		0x31, 0xf6, //                        xor  esi, esi
		0x0f, 0x05, //                        syscall
		0x85, 0xc0, //                        test eax, eax
		0x78, 0xec, //                        js   wait         ; interrupted, as by a stop and continue
		0xb8, 231, 0, 0, 0, //                mov  eax, exit_group
		0x31, 0xff, //                        xor  edi, edi
		0x0f, 0x05, //                        syscall
	}
}

func arm64Pause() []byte {
	words := [...]uint32{
		0xd28010c8, // mov  x8, rt_sigaction
		0xd2800220, // mov  x0, SIGCHLD
		0x10000201, // adr  x1, action
		0xd2800002, // mov  x2, 0
		0xd2800103, // mov  x3, 8          ; size of a signal set
		0xd4000001, // svc  0
		0xd28010e8, // mov  x8, rt_sigprocmask
		0xd2800000, // mov  x0, SIG_BLOCK
		0x10000241, // adr  x1, mask
		0xd4000001, // svc  0
		// wait:
		0xd2801128, // mov  x8, rt_sigtimedwait
		0x100001e0, // adr  x0, mask
		0xd2800001, // mov  x1, 0
		0xd4000001, // svc  0
		0xb7ffff80, // tbnz x0, 63, wait   ; interrupted, as by a stop and continue
		0xd2800bc8, // mov  x8, exit_group
		0xd2800000, // mov  x0, 0
		0xd4000001, // svc  0
	}
	code := make([]byte, 0, 4*len(words))
	for _, word := range words {
		code = binary.LittleEndian.AppendUint32(code, word)
	}
	return code
}
