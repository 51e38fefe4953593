/** String.join of Java 8, for Java 7. */
public class Join {
    public static String join(String between, String... parts) {
        StringBuilder out = new StringBuilder();
        for (String part : parts) {
            out.append(out.length() == 0 ? "" : between).append(part);
        }
        return out.toString();
    }
}
