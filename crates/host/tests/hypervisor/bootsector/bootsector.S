# A guest of one sector, for tests of the qemu driver. It says "guest is up" on COM1, then obeys
# single letters typed there:
#
#   q   power off                        w   write 16 MiB of 0x55 to the disk, then say "done"
#   f   print 'x' for ever               any other letter is echoed
#
# It also powers itself off when its power button is pressed.
#
#   as --32 -o bootsector.o bootsector.S
#   objcopy -O binary -j .text bootsector.o bootsector.bin

        .code16
        .text
start:
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movb    %dl, 0x7c00 + drive
        movw    $0x602, %dx             # PM1_EN of ICH9: hear the power button
        movw    $0x100, %ax
        outw    %ax, %dx
        movw    $(0x7c00 + banner), %si
        call    print
next:
        movw    $0x600, %dx             # PM1_STS
        inw     %dx, %ax
        testb   $1, %ah
        jnz     off
        movw    $0x3fd, %dx             # line status of COM1
        inb     %dx, %al
        testb   $1, %al
        jnz     typed
        sti
        hlt                             # until the timer ticks
        jmp     next
typed:
        movw    $0x3f8, %dx
        inb     %dx, %al
        cmpb    $'q', %al
        je      off
        cmpb    $'f', %al
        je      flood
        cmpb    $'w', %al
        je      write
        call    putc
        jmp     next
off:
        movw    $0x604, %dx             # PM1_CNT: sleep type S5, sleep enable
        movw    $0x2000, %ax
        outw    %ax, %dx
        hlt
        jmp     off
flood:
        movb    $'x', %al
        call    putc
        jmp     flood
write:
        movw    $0x1000, %ax            # 32 KiB of 0x55 at 0x10000
        movw    %ax, %es
        xorw    %di, %di
        movb    $0x55, %al
        movw    $0x8000, %cx
        cld
        rep stosb
        movw    $512, %bp               # times 32 KiB
sector:
        movb    $0x43, %ah              # extended write
        xorb    %al, %al
        movb    0x7c00 + drive, %dl
        movw    $(0x7c00 + packet), %si
        int     $0x13
        jc      failed
        addl    $64, 0x7c00 + lba
        decw    %bp
        jnz     sector
        movw    $(0x7c00 + done), %si
        call    print
        jmp     next
failed:
        movw    $(0x7c00 + broken), %si
        call    print
        jmp     next
print:
        lodsb
        testb   %al, %al
        jz      printed
        call    putc
        jmp     print
printed:
        ret
putc:
        pushw   %dx
        movb    %al, %bl
        movw    $0x3fd, %dx
full:
        inb     %dx, %al
        testb   $0x20, %al
        jz      full
        movw    $0x3f8, %dx
        movb    %bl, %al
        outb    %al, %dx
        popw    %dx
        ret

drive:  .byte   0
banner: .asciz  "guest is up\r\n"
done:   .asciz  "done\r\n"
broken: .asciz  "broken\r\n"
packet: .byte   16, 0
        .word   64                      # sectors
        .word   0, 0x1000               # offset, segment
lba:    .long   64, 0
        .org    510
        .word   0xaa55
