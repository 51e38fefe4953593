/*
 * Short keys for export suites. stunnel has none, so its server would refuse EXP-*: by RFC 2246,
 * 7.4.3, such a suite goes with an RSA key or a DH prime of 512 bits at most, made for it. Included by
 * stunnel's ctx.c (Dockerfile); OpenSSL 1.0.2's SSL_CTX_set_tmp_rsa_callback(3) and
 * SSL_CTX_set_tmp_dh_callback(3). Every other suite has stunnel's own prime of 2048 bits.
 */
#define EXPORT_BITS 512

static RSA *export_rsa;
static DH *export_dh, *common_dh;

static RSA *give_rsa(SSL *ssl, int is_export, int bits) {
    (void)ssl; (void)is_export; (void)bits;
    return export_rsa;
}

static DH *give_dh(SSL *ssl, int is_export, int bits) {
    (void)ssl; (void)bits;
    return is_export ? export_dh : common_dh;
}

/* Called for one section after the other, before any client is served. */
static void export_init(SSL_CTX *ctx) {
    if(!export_rsa) {
        BIGNUM *e = BN_new();
        BN_set_word(e, RSA_F4);
        export_rsa = RSA_new();
        RSA_generate_key_ex(export_rsa, EXPORT_BITS, e, NULL);
        BN_free(e);
        export_dh = DH_new();
        DH_generate_parameters_ex(export_dh, EXPORT_BITS, DH_GENERATOR_2, NULL);
        common_dh = get_dh2048();
    }
    SSL_CTX_set_tmp_rsa_callback(ctx, give_rsa);
    SSL_CTX_set_tmp_dh_callback(ctx, give_dh);
}
